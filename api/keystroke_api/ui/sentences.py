"""Why a run is where it is, as a sentence: one for each reason, and one for each status without a reason."""

from __future__ import annotations

from typing import Any, Final

from keystroke.domain.states import Reason, Status
from keystroke_api.ui.wording import counted, duration_text, full_time_text

#: Filled with the fields of a run's record, and `times` for the counts in words.
REASONS: Final[dict[Reason, str]] = {
    Reason.SCHEDULED: "Scheduled: it starts at {queued_at}.",
    Reason.QUEUE_PAUSED: "The queue {queue} is paused; the run starts when somebody resumes it.",
    Reason.WAITING_FOR_CONCURRENCY: "As many runs as its limit allows are at work; it starts when one of them ends.",
    Reason.WAITING_FOR_RATE_LIMIT: "Its rate limit is used up; it starts as soon as the limit allows.",
    Reason.WAITING_FOR_WORKER: "Waiting for a free worker that serves the queue {queue}.",
    Reason.RETRY_BACKOFF: "An attempt failed ({failures} so far). It pauses, then tries again from the recorded steps.",
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
    Reason.OVERLAP: "Skipped: the run before it was still at work.",
}
STATUSES: Final[dict[Status, str]] = {
    Status.QUEUED: "Waiting to be started.",
    Status.RUNNING: "Running for {duration}, attempt {attempt}.",
    Status.SLEEPING: "Sleeping; it holds no worker meanwhile.",
    Status.WAITING_ON_HOOK: "Waiting for an answer from outside.",
    Status.SUCCESS: "Finished after {duration}.",
    Status.FAILED: "Failed after {duration}.",
    Status.CANCELED: "Canceled.",
}
_CANCELING: Final = "Cancel requested: its code is cleaning up."


def sentence_of(record: dict[str, Any], elapsed_ms: int | None) -> str:
    """The sentence for a run's record; `elapsed_ms` is its duration so far, None before it began."""
    status = Status(record["status"])
    if status is Status.RUNNING and record["cancel_requested_at"]:
        return _CANCELING
    reason = record["status_reason"]
    template = REASONS[Reason(reason)] if reason else STATUSES[status]
    return template.format(
        queue=record["queue"],
        queued_at=full_time_text(record["queued_at"]),
        failures=counted(record["failures"], "failure"),
        recoveries=record["recoveries"],
        attempt=record["attempt"],
        duration=duration_text(elapsed_ms or 0),
    )
