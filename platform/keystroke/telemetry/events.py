"""The catalogue: every event of the platform. A docstring is the sentence, in braces its fields.

Levels: `debug` happens once per run or request, `info` once per process or incident, `warning` costs time and mends
itself, `error` needs a person. Times in fields are seconds, sizes MiB, as their names say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keystroke.telemetry.event import Event, Level
from keystroke.telemetry.trigger_events import (
    BackfillCarriedOut,
    DeliveryReceived,
    DeliveryWasRefused,
    NotificationGivenUp,
    NotificationNotSent,
    OldEventsDeleted,
    ScheduleLate,
    SchedulePaused,
    ScheduleTimesMissed,
    SecretNotRead,
    TickClaimed,
    TickFinished,
)

#: What is written in the module beside this one; the rest is here.
__all__ = [
    "BackfillCarriedOut", "DeliveryReceived", "DeliveryWasRefused", "NotificationGivenUp",
    "NotificationNotSent", "OldEventsDeleted", "ScheduleLate", "SchedulePaused", "ScheduleTimesMissed",
    "SecretNotRead", "TickClaimed", "TickFinished",
]  # fmt: skip

# --- Runs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """Run {run_id} of {workflow} was created by {trigger}."""

    level: ClassVar[Level] = "debug"
    run_id: str
    workflow: str
    trigger: str


@dataclass(frozen=True, slots=True)
class RunReplayed(Event):
    """Run {run_id} was created as a replay of {source}."""

    level: ClassVar[Level] = "debug"
    run_id: str
    source: str


@dataclass(frozen=True, slots=True)
class RunClaimed(Event):
    """Claimed {run_id}, attempt {attempt}, of {workflow}."""

    level: ClassVar[Level] = "debug"
    run_id: str
    attempt: int
    workflow: str


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """Attempt {attempt} of {run_id}, of {workflow}, ended: {status}."""

    level: ClassVar[Level] = "debug"
    run_id: str
    attempt: int
    workflow: str
    status: str


@dataclass(frozen=True, slots=True)
class LeaseWasLost(Event):
    """Attempt {attempt} of {run_id} no longer holds it; what it still writes is refused."""

    level: ClassVar[Level] = "warning"
    run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RunRecovered(Event):
    """{run_id} lost its worker and is now {status}."""

    level: ClassVar[Level] = "warning"
    run_id: str
    status: str


@dataclass(frozen=True, slots=True)
class OnFailureNotStarted(Event):
    """Run {run_id} has failed, and {workflow}, which its on_failure names, could not be started ({why})."""

    level: ClassVar[Level] = "error"
    run_id: str
    workflow: str
    why: str


# --- Workers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerRegistered(Event):
    """Worker {worker_id} serves {queues} of project {project} with {concurrency} children."""

    worker_id: str
    project: str
    queues: str
    concurrency: int


@dataclass(frozen=True, slots=True)
class WorkerDraining(Event):
    """Worker {worker_id} drains: no new runs, {running} still running, {grace_seconds} s for them to end."""

    worker_id: str
    running: int
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerDrained(Event):
    """Worker {worker_id} has drained; {handed_back} runs were handed back."""

    worker_id: str
    handed_back: int


@dataclass(frozen=True, slots=True)
class WorkerDeclaredDead(Event):
    """Worker {worker_id} was declared dead by others; it interrupts its attempts and registers anew."""

    level: ClassVar[Level] = "warning"
    worker_id: str


@dataclass(frozen=True, slots=True)
class ChildLost(Event):
    """Child {pid} of worker {worker_id} died ({how}) while it executed {run_id}."""

    level: ClassVar[Level] = "warning"
    worker_id: str
    pid: int
    how: str
    run_id: str


@dataclass(frozen=True, slots=True)
class TraceNotWritten(Event):
    """Spans, log lines or progress of {run_id} could not be written and are lost: {why}."""

    level: ClassVar[Level] = "warning"
    run_id: str
    why: str


# --- What everything stands on ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrokerAway(Event):
    """The broker does not answer ({why}); work goes on from the database, starts a second later than usual."""

    level: ClassVar[Level] = "warning"
    why: str


@dataclass(frozen=True, slots=True)
class BrokerBack(Event):
    """The broker answers again after {away_seconds} s."""

    away_seconds: float


@dataclass(frozen=True, slots=True)
class DatabaseAway(Event):
    """The database does not answer ({why}); waiting for it."""

    level: ClassVar[Level] = "error"
    why: str


@dataclass(frozen=True, slots=True)
class DatabaseBack(Event):
    """The database answers again after {away_seconds} s."""

    away_seconds: float


# --- The API ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApiListening(Event):
    """The API listens on {listen}. Processes: {processes}, of {threads} threads each."""

    listen: str
    processes: int
    threads: int


@dataclass(frozen=True, slots=True)
class RequestServed(Event):
    """{method} {path} was answered with {status} in {milliseconds} ms."""

    level: ClassVar[Level] = "debug"
    method: str
    path: str
    status: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class RequestPutOff(Event):
    """{method} {path} was answered with 503 ({why})."""

    level: ClassVar[Level] = "warning"
    method: str
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class RequestFailed(Event):
    """{method} {path} failed unexpectedly; the caller was told {status}."""

    level: ClassVar[Level] = "error"
    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class HookWasAnswered(Event):
    """Hook {hook_id} of {run_id} was answered by {actor}."""

    level: ClassVar[Level] = "debug"
    hook_id: str
    run_id: str
    actor: str


# --- Attempts, as their worker sees them ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AttemptInterrupted(Event):
    """Interrupting attempt {attempt} of {run_id}: {reason}."""

    level: ClassVar[Level] = "debug"
    run_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptKilled(Event):
    """Attempt {attempt} of {run_id} did not end within its grace; its processes were killed."""

    level: ClassVar[Level] = "warning"
    run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ThreadBroken(Event):
    """The thread {thread} met a mistake of Keystroke's own; the worker ends, its runs are recovered by others."""

    level: ClassVar[Level] = "error"
    thread: str


@dataclass(frozen=True, slots=True)
class AttemptBroken(Event):
    """Attempt {attempt} of {run_id} met a mistake of Keystroke's own; its process ends, the run is tried again."""

    level: ClassVar[Level] = "error"
    run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WorkerStuck(Event):
    """Worker {worker_id} has made no progress for {seconds} s while the database answers; it exits to be restarted."""

    level: ClassVar[Level] = "error"
    worker_id: str
    seconds: int


# --- Beat -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeatStarted(Event):
    """Beat looks after the runs; any number of beats may."""


@dataclass(frozen=True, slots=True)
class BeatStopped(Event):
    """Beat has ended."""


@dataclass(frozen=True, slots=True)
class MissedWakeupsFound(Event):
    """{queues} queues had work that nobody was woken for; they are woken again."""

    level: ClassVar[Level] = "debug"
    queues: int


@dataclass(frozen=True, slots=True)
class ExpiredRunsDeleted(Event):
    """{runs} runs were deleted, their retention being over."""

    runs: int
