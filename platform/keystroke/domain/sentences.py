"""Why a run is where it is, as a sentence: one for each reason, and one for each status without a reason.

Lists show these; a run's own page says more, from its `Standing`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from keystroke.clock import rfc3339
from keystroke.domain.standing import MOST_AHEAD, Standing
from keystroke.domain.states import Reason, Status
from keystroke.domain.wording import counted, duration_text, full_time_text

#: Filled with the fields of a run's record.
REASONS: Final[dict[Reason, str]] = {
    Reason.SCHEDULED: "Scheduled: it starts at {queued_at}.",
    Reason.QUEUE_PAUSED: "Queued: the queue {queue} is paused; the run starts when somebody resumes it.",
    Reason.WAITING_FOR_CONCURRENCY: "Queued: as many runs as its limit allows are at work; it starts when one of them ends.",
    Reason.WAITING_FOR_RATE_LIMIT: "Queued: its rate limit is used up; it starts as soon as the limit allows.",
    Reason.WAITING_FOR_WORKER: "Queued: waiting for a free worker that serves the queue {queue}.",
    Reason.RETRY_BACKOFF: "Pausing after a failure ({failures} so far); then it tries again from the recorded steps.",
    Reason.SLEEP: "Sleeping until the time its code asked for.",
    Reason.HOOK: "Waiting for an answer from outside.",
    Reason.CHILD_RUNS: "Waiting for the runs that it started.",
    Reason.HANDED_BACK: "Its worker shut down in order. Another worker goes on from the recorded steps.",
    Reason.USER_ERROR: "Its code raised an error after {duration}.",
    Reason.INVALID_INPUT: "Its input was refused by the workflow's own checks. Nothing was executed.",
    Reason.INVALID_OUTPUT: "The workflow returned a value that does not fit the output it declares.",
    Reason.TIMEOUT: "It took longer than its timeout allows.",
    Reason.WORKER_LOST: "Its worker was lost too often ({recoveries} recoveries), so it was given up.",
    Reason.NONDETERMINISM: "When it was resumed, its code asked for other steps than those on record.",
    Reason.SUSPENSION_SWALLOWED: "Its code caught the exception that suspends a run, so it could not wait.",
    Reason.HOOK_TIMEOUT: "The answer that it waited for did not come in time.",
    Reason.BUDGET_EXCEEDED: "It cost more than its budget.",
    Reason.CANCELED_BY_USER: "Canceled on request.",
    Reason.CANCELED_BY_PARENT: "Canceled together with the run that started it.",
    Reason.CONCURRENCY_SKIPPED: "Skipped: as many runs as its limit allows were at work already.",
    Reason.CONCURRENCY_REPLACED: "Canceled: a newer run with the same key took its place.",
    Reason.OVERLAP: "Canceled: the next time of its schedule came while it was still at work.",
}
STATUSES: Final[dict[Status, str]] = {
    Status.QUEUED: "Queued: waiting to be started.",
    Status.RUNNING: "Running for {duration}, attempt {attempt}.",
    Status.SLEEPING: "Sleeping; it holds no worker meanwhile.",
    Status.WAITING_ON_HOOK: "Waiting for an answer from outside.",
    Status.SUCCESS: "Finished after {duration}.",
    Status.FAILED: "Failed after {duration}.",
    Status.CANCELED: "Canceled.",
}
_CANCELING: Final = "Cancel requested: its code is cleaning up."


def sentence_of(record: dict[str, Any], elapsed_ms: int | None, standing: Standing | None = None) -> str:
    """The sentence for a run's record; `elapsed_ms` is its duration so far, None before it began.

    With its standing it tells numbers and names: "Queued: 4 of 4 for customer acme are running, 2 ahead."
    """
    status, reason = Status(record["status"]), record["status_reason"]
    if status is Status.RUNNING and record["cancel_requested_at"]:
        return _CANCELING
    told = _DETAILED.get(Reason(reason)) if reason and not status.terminal else None
    detailed = told(record, standing) if told is not None and standing is not None else None
    if detailed is not None:
        return detailed
    template = REASONS[Reason(reason)] if reason else STATUSES[status]
    return template.format(
        queue=record["queue"],
        queued_at=full_time_text(record["queued_at"]),
        failures=counted(record["failures"], "failure"),
        recoveries=record["recoveries"],
        attempt=record["attempt"],
        duration=duration_text(elapsed_ms or 0),
    )


def _paused(record: dict[str, Any], standing: Standing) -> str:
    return f"Queued: the queue {record['queue']} is paused{_ahead(standing)}."


def _concurrency(_record: dict[str, Any], standing: Standing) -> str:
    if not standing.limit:
        return "Queued: it starts when the run before it, of the same schedule, has ended."
    shared = f"for {standing.shared} " if standing.shared else ""
    return f"Queued: {standing.running} of {standing.limit} {shared}are running{_ahead(standing)}."


def _rate(_record: dict[str, Any], standing: Standing) -> str:
    shared = f" for {standing.shared}" if standing.shared else ""
    return (
        f"Queued: the rate of {standing.rate} in {_span(standing.per)}{shared} is used up{_ahead(standing)}."
    )


def _worker(record: dict[str, Any], standing: Standing) -> str:
    if not standing.workers:
        return f"Queued: no worker serves the queue {record['queue']}."
    return f"Queued: waiting for a free worker that serves the queue {record['queue']}{_ahead(standing)}."


def _retry(record: dict[str, Any], standing: Standing) -> str | None:
    if standing.due is None:
        return None
    after = counted(record["failures"], "failure") if record["failures"] > 1 else "a failure"
    left = standing.due - standing.now
    if left <= timedelta(0):
        return f"Retrying now, after {after}."
    return f"Retrying in {_span(left)}, after {after}."


def _sleep(_record: dict[str, Any], standing: Standing) -> str | None:
    return None if standing.due is None else f"Sleeping until {full_time_text(rfc3339(standing.due))}."


def _hook(_record: dict[str, Any], standing: Standing) -> str | None:
    if not standing.hooks:
        return None
    kind = "hook" if len(standing.hooks) == 1 else "hooks"
    until = "" if standing.due is None else f", until {full_time_text(rfc3339(standing.due))}"
    return f"Waiting on {kind} {', '.join(standing.hooks)}{until}."


def _children(_record: dict[str, Any], standing: Standing) -> str | None:
    return f"Waiting for {counted(standing.children, 'child run')}." if standing.children else None


def _ahead(standing: Standing) -> str:
    if not standing.ahead:
        return ", next in line"
    if standing.ahead > MOST_AHEAD:
        return f", more than {MOST_AHEAD:,} ahead"
    return f", {standing.ahead:,} ahead"


def _span(span: timedelta) -> str:
    return duration_text(span // timedelta(milliseconds=1))


_DETAILED: Final[dict[Reason, Callable[[dict[str, Any], Standing], str | None]]] = {
    Reason.QUEUE_PAUSED: _paused,
    Reason.WAITING_FOR_CONCURRENCY: _concurrency,
    Reason.WAITING_FOR_RATE_LIMIT: _rate,
    Reason.WAITING_FOR_WORKER: _worker,
    Reason.RETRY_BACKOFF: _retry,
    Reason.SLEEP: _sleep,
    Reason.HOOK: _hook,
    Reason.CHILD_RUNS: _children,
}
