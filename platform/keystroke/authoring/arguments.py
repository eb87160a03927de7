"""The arguments of an action's call, in the form in which they are recorded and digested."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from keystroke.authoring.codec import Codec, Recorded
from keystroke.authoring.signature import FunctionSignature, Parameter
from keystroke.box import Box


class Arguments:
    """Binds the arguments of a call to the action's signature and records them by name, the context left out."""

    def __init__(self, action: str, function: Callable[..., Any], parameters: FunctionSignature) -> None:
        """UnsupportedType where a parameter's type cannot be recorded."""
        self.signature = inspect.signature(function)
        self._action = action
        self._codecs = {each.name: Codec(_annotation(each)) for each in parameters.parameters}

    def record(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], box: Box | None = None) -> Recorded:
        """The bound arguments, defaults applied, as an object by parameter name; see `Codec.record`.

        TypeError, as Python raises it, where the arguments do not fit the signature.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        recorded = {name: self._record(name, bound.arguments[name], box) for name in self._codecs}
        return Recorded(
            {name: each.value for name, each in recorded.items()},
            {name: each.payload for name, each in recorded.items()},
            {name: each.digested for name, each in recorded.items()},
        )

    def copied(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The same arguments, those that are recorded as deep copies; the context is passed on as it is."""
        bound = self.signature.bind(*args, **kwargs)
        for name in self._codecs.keys() & bound.arguments.keys():
            bound.arguments[name] = copy.deepcopy(bound.arguments[name])
        return bound.args, bound.kwargs

    def _record(self, name: str, value: Any, box: Box | None) -> Recorded:
        return self._codecs[name].record(value, f"argument {name} of {self._action}", box)


def _annotation(parameter: Parameter) -> Any:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return types.GenericAlias(tuple, (parameter.annotation, ...))
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return types.GenericAlias(dict, (str, parameter.annotation))
    # `limit: int = None` is often written and always meant as `int | None`.
    return parameter.annotation | None if parameter.default is None else parameter.annotation
