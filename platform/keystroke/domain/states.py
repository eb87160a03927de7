"""The life of a run: its statuses, the reasons for them, and the one table of transitions between them.

    queued --claim--> running --complete | fail | cancel--> success | failed | canceled
    running --sleep | await_children | retry_later--> sleeping --due--> queued
    running --await_hook--> waiting_on_hook --answer--> queued
    running --wait_over | hand_back | recover--> queued
    running --admit--> queued (its input is made, and it has limits to wait for)
    queued | sleeping | waiting_on_hook --cancel_at_rest--> canceled

Every write of a status is a conditional update that takes its expected statuses and its result from a row of TRANSITIONS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a run is in its life; the raw value is what the API, the CLI and the database say."""

    QUEUED = "queued"
    RUNNING = "running"
    SLEEPING = "sleeping"
    WAITING_ON_HOOK = "waiting_on_hook"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def label(self) -> str:
        """The status as people read it."""
        return self.value.replace("_", " ").capitalize()

    @property
    def terminal(self) -> bool:
        """True for the statuses that are final."""
        return self in TERMINAL


TERMINAL: Final = frozenset({Status.SUCCESS, Status.FAILED, Status.CANCELED})
ACTIVE: Final = frozenset(Status) - TERMINAL


class Reason(StrEnum):
    """Why a run has its status; the closed list of `status_reason`."""

    # Of a queued run, computed when it is read.
    SCHEDULED = "scheduled"
    QUEUE_PAUSED = "queue_paused"
    WAITING_FOR_CONCURRENCY = "waiting_for_concurrency"
    WAITING_FOR_RATE_LIMIT = "waiting_for_rate_limit"
    WAITING_FOR_WORKER = "waiting_for_worker"
    # Stored.
    RETRY_BACKOFF = "retry_backoff"
    SLEEP = "sleep"
    HOOK = "hook"
    CHILD_RUNS = "child_runs"
    HANDED_BACK = "handed_back"
    USER_ERROR = "user_error"
    INVALID_INPUT = "invalid_input"
    INVALID_OUTPUT = "invalid_output"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    NONDETERMINISM = "nondeterminism"
    SUSPENSION_SWALLOWED = "suspension_swallowed"
    HOOK_TIMEOUT = "hook_timeout"
    BUDGET_EXCEEDED = "budget_exceeded"
    CANCELED_BY_USER = "canceled_by_user"
    CANCELED_BY_PARENT = "canceled_by_parent"
    CONCURRENCY_SKIPPED = "concurrency_skipped"
    CONCURRENCY_REPLACED = "concurrency_replaced"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed move: its name, the statuses it may start from, the one it leads to.

    `fenced` moves are made by an attempt (or in its name) and also name the attempt they expect.
    """

    name: str
    sources: frozenset[Status]
    target: Status
    fenced: bool


def _move(name: str, sources: Status | frozenset[Status], target: Status, *, fenced: bool) -> Transition:
    return Transition(name, frozenset({sources}) if isinstance(sources, Status) else sources, target, fenced)


_AT_REST: Final = ACTIVE - {Status.RUNNING}
_WAITING: Final = frozenset({Status.SLEEPING, Status.WAITING_ON_HOOK})

CLAIM: Final = _move("claim", Status.QUEUED, Status.RUNNING, fenced=False)
COMPLETE: Final = _move("complete", Status.RUNNING, Status.SUCCESS, fenced=True)
FAIL: Final = _move("fail", Status.RUNNING, Status.FAILED, fenced=True)
CANCEL: Final = _move("cancel", Status.RUNNING, Status.CANCELED, fenced=True)
CANCEL_AT_REST: Final = _move("cancel_at_rest", _AT_REST, Status.CANCELED, fenced=False)
SLEEP: Final = _move("sleep", Status.RUNNING, Status.SLEEPING, fenced=True)
AWAIT_HOOK: Final = _move("await_hook", Status.RUNNING, Status.WAITING_ON_HOOK, fenced=True)
WAIT_OVER: Final = _move("wait_over", Status.RUNNING, Status.QUEUED, fenced=True)
HAND_BACK: Final = _move("hand_back", Status.RUNNING, Status.QUEUED, fenced=True)
ADMIT: Final = _move("admit", Status.RUNNING, Status.QUEUED, fenced=True)
RECOVER: Final = _move("recover", Status.RUNNING, Status.QUEUED, fenced=True)
GIVE_UP: Final = _move("give_up", Status.RUNNING, Status.FAILED, fenced=True)
DUE: Final = _move("due", _WAITING, Status.QUEUED, fenced=False)
ANSWER: Final = _move("answer", Status.WAITING_ON_HOOK, Status.QUEUED, fenced=False)
CHILDREN_ENDED: Final = _move("children_ended", _WAITING, Status.QUEUED, fenced=False)

#: Every move that exists. A status is never written by another way.
TRANSITIONS: Final[tuple[Transition, ...]] = (
    CLAIM, COMPLETE, FAIL, CANCEL, CANCEL_AT_REST, SLEEP, AWAIT_HOOK, WAIT_OVER, HAND_BACK, ADMIT, RECOVER, GIVE_UP,
    DUE, ANSWER, CHILDREN_ENDED,
)  # fmt: skip
