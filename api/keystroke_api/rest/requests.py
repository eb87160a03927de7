"""What callers send: the models that validate it and describe it in the OpenAPI document."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from keystroke.errors import KeystrokeError
from keystroke.operations.replay_run import EditedInput
from keystroke_api.operation import path_errors
from keystroke_api.refusals import InvalidRequest
from keystroke_api.rest.texts import IdempotencyKey, StepIdentity, TagKey, TagValue, Time

_LONGEST_WAIT: Final = 60
_WAIT: Final = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?\Z", re.ASCII | re.IGNORECASE)
Tags = Annotated[
    dict[TagKey, TagValue], Field(max_length=50, description="Flat map of texts to find the run by.")
]


def _number(value: Any) -> Any:
    """JSON knows no integers: 3.0 is one. Texts and booleans, which Python would take as well, are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    return value


Priority = Annotated[int, Field(ge=-10, le=10), BeforeValidator(_number)]


class StartBody(BaseModel):
    """A run to start."""

    model_config = ConfigDict(extra="forbid")

    input: Any = Field(default=None, description="What the workflow receives; has to fit its input schema.")
    tags: Tags = Field(default_factory=dict)
    priority: Priority | None = Field(
        default=None,
        description="Higher is claimed first; absent: the workflow's own.",
    )
    run_at: Time | None = Field(default=None, description="Not before this time.")


class StartHeaders(BaseModel):
    """Headers of a start."""

    idempotency_key: IdempotencyKey | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="The same key with the same start gives the same run again, with another start a 422.",
    )
    prefer: str | None = Field(
        default=None,
        alias="Prefer",
        description="`wait=N`: answer when the run has ended, after N (up to 60) seconds at the latest.",
    )
    traceparent: str | None = Field(
        default=None, alias="traceparent", description="W3C trace context of the caller."
    )
    client: str | None = Field(
        default=None,
        alias="X-Keystroke-Client",
        description="Name of the client; `cli` makes that the trigger.",
    )

    @property
    def trigger(self) -> Literal["api", "cli"]:
        """What kind of start this is."""
        return "cli" if self.client == "cli" else "api"

    @property
    def wait(self) -> int:
        """Seconds to wait for the end of the run."""
        return seconds_to_wait(self.prefer)


def seconds_to_wait(prefer: str | None) -> int:
    """What `Prefer: wait=N` asks for; preferences that are not understood are ignored (RFC 7240)."""
    for preference in (prefer or "").split(","):
        if match := _WAIT.match(preference.strip()):
            return min(int(match[1]), _LONGEST_WAIT)
    return 0


class BatchItem(BaseModel):
    """One of many runs to start."""

    model_config = ConfigDict(extra="forbid")

    input: Any = None
    tags: Tags = Field(default_factory=dict)
    idempotency_key: IdempotencyKey | None = None


def _item_or_error(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """One bad item is that item's problem, not the batch's."""
    try:
        return validate(value)
    except ValidationError as error:
        return InvalidRequest(what="item", errors=path_errors(error))


class BatchBody(BaseModel):
    """Many runs to start, in one transaction."""

    model_config = ConfigDict(extra="forbid")

    runs: list[Annotated[BatchItem, WrapValidator(_item_or_error)]] = Field(min_length=1, max_length=1_000)

    @property
    def items(self) -> list[BatchItem | KeystrokeError]:
        """Each item, or what is wrong with it."""
        return list(self.runs)


class CancelBody(BaseModel):
    """Nothing so far; an empty object or no body at all."""

    model_config = ConfigDict(extra="forbid")


class ReplayBody(BaseModel):
    """What to replay of a run; an empty object or no body at all: all of it, with the same input."""

    model_config = ConfigDict(extra="forbid")

    from_step: StepIdentity | None = Field(
        default=None,
        description="Identity of a step, such as `charge#0`, or `failed` for the first one that failed: the steps before it "
        "are copied with their results, only the rest is executed.",
    )
    input: Any = Field(
        default=None,
        description="Another input; absent: the same (`null` is an input). `[redacted]`, left where it stands in the shown "
        "input, keeps the recorded value.",
    )

    @property
    def edited(self) -> EditedInput | None:
        """The other input, if there is one."""
        return EditedInput(self.input) if "input" in self.model_fields_set else None
