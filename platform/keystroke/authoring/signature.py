"""What a function's signature says: its parameters with their types, its result, and where the context goes."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Union

from keystroke.authoring.context import AsyncContext, Context

_CONTEXTS: Final = (Context, AsyncContext)
CONTEXT_NAME: Final = "ctx"


class UnreadableAnnotation(Exception):
    """An annotation that cannot be evaluated: the message says which and why."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `annotation` is evaluated, Any where there is none."""

    name: str
    annotation: Any
    kind: inspect._ParameterKind
    default: Any

    @property
    def is_variadic(self) -> bool:
        """`*args` or `**kwargs`."""
        return self.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

    @property
    def is_optional(self) -> bool:
        """Whether it has a default."""
        return self.default is not inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """Parameters without the context, the context's name (None: it takes none) and annotation, the result's type."""

    parameters: tuple[Parameter, ...]
    context: Parameter | None
    result: Any


def read_signature(function: Callable[..., Any], local_names: Mapping[str, Any]) -> FunctionSignature:
    """Evaluate the function's annotations; UnreadableAnnotation names the first that cannot be."""
    signature = inspect.signature(function)
    parameters = [_read_parameter(function, each, local_names) for each in signature.parameters.values()]
    context = next((each for each in parameters if _is_context(each)), None)
    result = _evaluate(function, "its result", signature.return_annotation, local_names)
    return FunctionSignature(tuple(each for each in parameters if each is not context), context, result)


def defining_names(function: Callable[..., Any], depth: int) -> Mapping[str, Any]:
    """The names around a function that is defined inside another one, for its annotations that are text."""
    if "<locals>" not in function.__qualname__:
        return {}
    return dict(sys._getframe(depth + 1).f_locals)


def _read_parameter(
    function: Callable[..., Any], parameter: inspect.Parameter, local_names: Mapping[str, Any]
) -> Parameter:
    try:
        annotation = _evaluate(function, f"parameter {parameter.name}", parameter.annotation, local_names)
    except UnreadableAnnotation:
        # The context's type is often imported for type checkers only.
        if parameter.name != CONTEXT_NAME:
            raise
        annotation = Any
    return Parameter(parameter.name, annotation, parameter.kind, parameter.default)


def _evaluate(
    function: Callable[..., Any], what: str, annotation: Any, local_names: Mapping[str, Any]
) -> Any:
    if annotation is inspect.Signature.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        hints = typing.get_type_hints(holder, function.__globals__, dict(local_names), include_extras=True)
    except Exception as error:
        # An annotation is the author's code: whatever it raises is what is wrong with it.
        raise UnreadableAnnotation(f"the type of {what}, {annotation}, cannot be read: {error}") from error
    return hints["it"]


def _is_context(parameter: Parameter) -> bool:
    return parameter.name == CONTEXT_NAME or bool(context_types(parameter))


def context_types(parameter: Parameter) -> frozenset[type]:
    """Which contexts the parameter's annotation names, by itself or in a union."""
    annotation = parameter.annotation
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    named = typing.get_args(annotation) if is_union else (annotation,)
    return frozenset(each for each in named if each in _CONTEXTS)
