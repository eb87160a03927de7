"""What can go wrong, as types. Each docstring is the message that people read, with the error's fields filled in.

Every layer raises these; the API turns them into problem documents, the CLI into one or two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


class KeystrokeError(Exception):
    """Keystroke could not do what was asked."""

    #: Short stable name, used as the problem document's type.
    code: ClassVar[str] = "error"

    def __init__(self, **fields: Any) -> None:
        """Keep the fields as attributes and fill them into the docstring."""
        for name, value in fields.items():
            setattr(self, name, value)
        super().__init__((type(self).__doc__ or "").format(**fields))


@dataclass(frozen=True, slots=True)
class PathError:
    """One thing that is wrong with a payload: where (a JSONPath such as `$.email`) and what."""

    path: str
    message: str

    def as_json(self) -> dict[str, str]:
        """`{path, message}`, as in a problem document."""
        return {"path": self.path, "message": self.message}


class InvalidSettings(KeystrokeError):
    """The configuration is not usable:
    {problems}"""

    code = "invalid-settings"
    problems: str


class InvalidInput(KeystrokeError):
    """The input does not fit {what}: {summary}"""

    code = "invalid-input"
    what: str
    summary: str
    errors: list[PathError]

    def __init__(self, *, what: str, errors: list[PathError]) -> None:
        """Sum up the first three errors; all of them stay in `errors`."""
        shown = "; ".join(f"{error.path}: {error.message}" for error in errors[:3])
        more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
        super().__init__(what=what, summary=shown + more, errors=errors)


class PayloadTooLarge(KeystrokeError):
    """The {what} has {size} bytes as JSON; at most {limit} are kept. Store large data elsewhere and pass a reference."""

    code = "payload-too-large"


class NotJson(KeystrokeError):
    """The {what} cannot be kept as JSON: {why}"""

    code = "not-json"


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


class RunEnded(KeystrokeError):
    """The run {run_id} has ended already: {status}."""

    code = "run-ended"


class IdempotencyConflict(KeystrokeError):
    """The idempotency key {key} was used for run {run_id} with another input, tags, priority or run_at."""

    code = "idempotency-conflict"


class LeaseLost(KeystrokeError):
    """Attempt {attempt} of {run_id} no longer holds the run: another one took over, or it has ended."""

    code = "lease-lost"


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
