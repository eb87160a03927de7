"""The kinds of values that a published definition is made of, each with its bounds."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from keystroke.domain.limits import check_template
from keystroke.domain.payload import check_depth
from keystroke.domain.usage import exact
from keystroke.errors import NotJson

_NO_NUL: Final = r"^[^\x00]*$"
A_CENTURY: Final = 36_525 * 86_400.0

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=200)]
Queue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Words = Annotated[str, StringConstraints(max_length=4_000, pattern=_NO_NUL)]


def number(value: Any) -> Any:
    """JSON knows numbers; texts and booleans, which Python would take as well, are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    return value


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    try:
        check_depth(value, what="schema")
        Draft202012Validator.check_schema(value)
    except (SchemaError, NotJson, RecursionError) as error:
        raise ValueError(f"is no JSON Schema: {str(error).splitlines()[0]}") from error
    return value


def _money(value: str) -> str:
    if not exact(Decimal(value), "budget"):
        raise ValueError("must be more than zero")
    return value


def _template(value: str | None) -> str | None:
    check_template(value)
    return value


Number = Annotated[float, BeforeValidator(number)]
Seconds = Annotated[Number, Field(gt=0, le=A_CENTURY)]
Pause = Annotated[Number, Field(ge=0, le=A_CENTURY)]
JsonSchema = Annotated[dict[str, Any], AfterValidator(_schema)]
Money = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$"), AfterValidator(_money)]
Template = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=_NO_NUL), AfterValidator(_template)
]
Limit = Annotated[int, BeforeValidator(number), Field(ge=1, le=100_000)]
