"""What can go wrong, as types. Each docstring is the message that people read, with the error's fields filled in.

Every layer raises these; the API turns them into problem documents, the CLI into one or two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keystroke.error import InvalidInput, KeystrokeError, PathError, sum_up
from keystroke.trigger_errors import (
    BackfillEnded,
    BackfillNotFound,
    ChallengeRefused,
    DeliveryNotFound,
    DeliveryNotKept,
    DeliveryRateLimited,
    DeliveryRefused,
    EndpointNotFound,
    EndpointRetired,
    InvalidDelivery,
    InvalidPayload,
    InvalidState,
    InvalidTriggerChange,
    NoStateKept,
    NotADedupeKey,
    NotAttached,
    SecretNotFound,
    SourceGone,
    StateChanged,
    StateEdited,
    TickCanceled,
    TickEnded,
    TickTimedOut,
    TickUnderWay,
    TooManyPayloads,
    TransformGone,
    TriggerEventNotFound,
    TriggerNotFound,
    TriggerRetired,
    Unverified,
    WrongTriggerKind,
)

#: What is written in the modules beside this one; the rest is here.
__all__ = [
    "BackfillEnded", "BackfillNotFound", "ChallengeRefused", "DeliveryNotFound", "DeliveryNotKept",
    "DeliveryRateLimited", "DeliveryRefused", "EndpointNotFound", "EndpointRetired", "InvalidDelivery",
    "InvalidInput", "InvalidPayload", "InvalidState", "InvalidTriggerChange", "KeystrokeError",
    "NoStateKept", "NotADedupeKey", "NotAttached", "PathError", "SecretNotFound", "SourceGone",
    "StateChanged", "StateEdited", "TickCanceled", "TickEnded", "TickTimedOut", "TickUnderWay", "TooManyPayloads",
    "TransformGone", "TriggerEventNotFound", "TriggerNotFound", "TriggerRetired", "Unverified",
    "WrongTriggerKind",
]  # fmt: skip
# Records and people know them by this module's name, wherever they are written.
for _name in __all__:
    globals()[_name].__module__ = __name__


class InvalidSettings(KeystrokeError):
    """The configuration is not usable:
    {problems}
    """

    code = "invalid-settings"
    problems: str


class InvalidAnswer(InvalidInput):
    """The answer does not fit {what}: {summary}"""

    code = "invalid-answer"
    __init__ = InvalidInput.__init__


class PayloadTooLarge(KeystrokeError):
    """The {what} has {size} bytes as JSON; at most {limit} are kept. Store large data elsewhere and pass a reference."""

    code = "payload-too-large"


class NotJson(KeystrokeError):
    """The {what} cannot be kept as JSON: {why}"""

    code = "not-json"


class InvalidValue(KeystrokeError):
    """The {what} does not fit {type}: {summary}"""

    code = "invalid-value"
    what: str
    type: str
    summary: str
    errors: list[PathError]

    def __init__(self, *, what: str, type: str, errors: list[PathError]) -> None:
        """Sum up the first three errors; all of them stay in `errors`."""
        super().__init__(what=what, type=type, summary=sum_up(errors), errors=errors)


class UnsupportedType(KeystrokeError):
    """{type} cannot be recorded: {why}"""

    code = "unsupported-type"
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class ProjectProblem:
    """One thing that is wrong with a project's definitions: in which file and line (None: the whole file), and what."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        """`workflows/signup.py:12: message`."""
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


class DefinitionError(KeystrokeError):
    """{listing}"""

    code = "definition-error"
    problems: list[ProjectProblem]

    def __init__(self, problems: list[ProjectProblem]) -> None:
        """The message lists all problems, one a line."""
        super().__init__(listing="\n".join(map(str, problems)), problems=problems)


class ProjectErrors(KeystrokeError):
    """The project in {directory} cannot be loaded:
    {listing}
    """

    code = "project-errors"
    directory: str
    problems: list[ProjectProblem]

    def __init__(self, directory: str, problems: list[ProjectProblem]) -> None:
        """The message lists all problems, one a line; their paths are relative to the directory."""
        listing = "\n".join(f"- {problem}" for problem in problems)
        super().__init__(directory=directory, listing=listing, problems=problems)


class RunNotFound(KeystrokeError):
    """There is no run {run_id}."""

    code = "run-not-found"


class AmbiguousRunId(KeystrokeError):
    """{run_id} is the beginning of several runs; give more of it."""

    code = "ambiguous-run-id"


class ProjectNotFound(KeystrokeError):
    """There is no project {project}."""

    code = "project-not-found"


class WorkflowNotFound(KeystrokeError):
    """There is no workflow {workflow} in project {project}.{hint}"""

    code = "workflow-not-found"


class QueueNotFound(KeystrokeError):
    """There is no queue {name} in the project; there are: {known}"""

    code = "queue-not-found"


class WorkerNotFound(KeystrokeError):
    """There is no worker {worker_id}."""

    code = "worker-not-found"


class WorkerEnded(KeystrokeError):
    """The worker {worker_id} is {state}: there is nothing to drain."""

    code = "worker-ended"


class DeploymentNotFound(KeystrokeError):
    """There is no deployment {deployment} in project {project}."""

    code = "deployment-not-found"


class ForeignOrganization(KeystrokeError):
    """The project belongs to organization {named}, by its keystroke.toml; what is published here goes to {own}."""

    code = "foreign-organization"


class RunEnded(KeystrokeError):
    """The run {run_id} has ended already: {status}."""

    code = "run-ended"


class StepNotFound(KeystrokeError):
    """The run {run_id} has no step {step} on record. {hint}"""

    code = "step-not-found"


class NoFailedStep(KeystrokeError):
    """No step of the run {run_id} has failed. {hint}"""

    code = "no-failed-step"


class InputNotRecorded(KeystrokeError):
    """The input of the run {run_id} is no longer on record: replay it with an input."""

    code = "input-not-recorded"


class HookNotFound(KeystrokeError):
    """There is no hook {hook}."""

    code = "hook-not-found"


class HookAnswered(KeystrokeError):
    """The hook {hook} has been answered already; the first answer counts."""

    code = "hook-answered"


class HookExpired(KeystrokeError):
    """The time to answer the hook {hook} is over."""

    code = "hook-expired"


class HookEnded(KeystrokeError):
    """The run that asked for the hook {hook} has ended; no answer is needed any more."""

    code = "hook-ended"


class IdempotencyConflict(KeystrokeError):
    """The idempotency key {key} was used for run {run_id}: another replay, or with another input, tags, priority or run_at."""

    code = "idempotency-conflict"


class LeaseLost(KeystrokeError):
    """Attempt {attempt} of {run_id} no longer holds the run: another one took over, or it has ended."""

    code = "lease-lost"


class Nondeterminism(KeystrokeError):
    """{mismatch}"""

    code = "nondeterminism"


class RunTimedOut(KeystrokeError):
    """The run worked for {worked} s, all attempts together; its timeout is {timeout} s."""

    code = "run-timed-out"


class BudgetExceeded(KeystrokeError):
    """The run has cost {cost}, more than its budget of {budget}."""

    code = "budget-exceeded"


class SuspensionSwallowed(KeystrokeError):
    """The run was to be suspended ({reason}), and {place} caught what suspends it: catch Exception there, not BaseException."""

    code = "suspension-swallowed"


class ActionInForeignThread(KeystrokeError):
    """{action} was called in a thread or process that the workflow started itself: use ctx.map({action}, items)."""

    code = "action-in-foreign-thread"


class AsyncActionInSyncWorkflow(KeystrokeError):
    """The async action {action} was called in the sync workflow {workflow}: make that `async def`, or the action `def`."""

    code = "async-action-in-sync-workflow"


class NotInWorkflowCode(KeystrokeError):
    """{call} was called in a thread that the workflow started itself; call it in the workflow's own code."""

    code = "not-in-workflow-code"


class OutsideOfRun(KeystrokeError):
    """{call} works inside of a run only. Outside of one, start {workflow} with `keystroke workflows run` or over HTTP, or call it."""

    code = "outside-of-run"


class MissingSecretKey(KeystrokeError):
    """{call} needs KEYSTROKE_SECRET_KEY, which is not set: what it gives derives from that."""

    code = "missing-secret-key"


class WaitInAction(KeystrokeError):
    """{call} was called inside of an action, which runs from its beginning to its end: wait in the workflow's own code."""

    code = "wait-in-action"


class ChildIsAncestor(KeystrokeError):
    """The idempotency key {key} belongs to {run_id}, which this run comes from: each would wait for the other."""

    code = "child-is-ancestor"


class WorkflowGone(KeystrokeError):
    """The code that is deployed now has no workflow {workflow}; the run was started when it had one."""

    code = "workflow-gone"


class DatabaseUnavailable(KeystrokeError):
    """The database does not answer: {why}"""

    code = "database-unavailable"


class SchemaOutdated(KeystrokeError):
    """The database is at revision {found}, this version needs {needed}: run `keystroke db upgrade`."""

    code = "schema-outdated"


class QueryTooSlow(KeystrokeError):
    """The query took longer than {seconds} s; narrow it with since, until, or a status."""

    code = "query-too-slow"


class SecretUnreadable(KeystrokeError):
    """A secret was encrypted with key {key_id}, which KEYSTROKE_SECRET_KEY does not hold; add that key behind the current one."""

    code = "secret-unreadable"


class ApiKeyNotFound(KeystrokeError):
    """There is no API key {key}."""

    code = "api-key-not-found"


class ServerUnreachable(KeystrokeError):
    """{url} does not answer: {why}"""

    code = "server-unreachable"


class RequestRefused(KeystrokeError):
    """{detail}"""

    code = "request-refused"
    status: int
    detail: str
    problem: dict[str, Any]
