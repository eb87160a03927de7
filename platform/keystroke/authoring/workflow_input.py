"""The input of a workflow: its one parameter, or none."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from keystroke.authoring.codec import Codec
from keystroke.authoring.signature import Parameter

_NO_INPUT: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "description": "This workflow takes no input.",
}


def input_codec(parameter: Parameter | None) -> Codec:
    """Reads and records the input; where there is no parameter, null and an empty object are the only inputs."""
    return Codec(_annotation(parameter), "input")


def _annotation(parameter: Parameter | None) -> Any:
    if parameter is None:
        return Annotated[None, BeforeValidator(_no_input), WithJsonSchema(_NO_INPUT)]
    if not parameter.is_optional:
        return parameter.annotation

    def fill_default(value: Any) -> Any:
        return parameter.default if value is None else value

    # `null`, and no input at all, mean the default, which is recorded in its place.
    return Annotated[parameter.annotation | None, AfterValidator(fill_default)]


def _no_input(value: Any) -> Any:
    return None if value == {} else value
