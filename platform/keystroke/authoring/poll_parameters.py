"""What a poll function takes: nothing, the state, the tick, or the state and then the tick."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from keystroke.authoring.signature import FunctionSignature, Parameter
from keystroke.authoring.tick import Tick

#: What one parameter is given.
Taken = Literal["state", "tick"]
_TICK_NAME: Final = "tick"


def taken_by(signature: FunctionSignature) -> tuple[Taken, ...]:
    """What its parameters are given, in their order; of use only where `parameter_problems` finds nothing."""
    return tuple("tick" if _is_tick(each) else "state" for each in signature.parameters)


def parameter_problems(signature: FunctionSignature, state: type[BaseModel] | None) -> list[str]:
    """Why the function cannot be called as a poll that keeps this state (None: no state)."""
    odd = _odd_parameters(signature)
    if odd:
        return odd
    takers = [each for each in signature.parameters if not _is_tick(each)]
    if state is None:
        return [_needs_state(each) for each in takers]
    if not takers:
        return [f"it keeps a state, and its function takes none: def f(state: {state.__name__} | None)"]
    if signature.parameters[0] is not takers[0]:
        return ["the state comes first, the tick second"]
    return [*_state_problems(takers[0], state), *(_too_many(each) for each in takers[1:])]


def call_with(taken: Sequence[Taken], given: Mapping[Taken, Any]) -> list[Any]:
    """The arguments of a call."""
    return [given[each] for each in taken]


def _odd_parameters(signature: FunctionSignature) -> list[str]:
    found = [f"it takes {each.name} as * or **" for each in signature.parameters if each.is_variadic]
    found += [
        f"parameter {each.name} can be given by name only; it is given by position"
        for each in signature.parameters
        if each.kind is each.kind.KEYWORD_ONLY
    ]
    if signature.context is not None:
        found.append(
            f"it takes {signature.context.name}, and a tick is no run: it has no context, steps or waits. "
            "Do lasting work in the workflow that it starts"
        )
    ticks = [each.name for each in signature.parameters if _is_tick(each)]
    return found + ([f"it takes the tick twice: {', '.join(ticks)}"] if len(ticks) > 1 else [])


def _is_tick(parameter: Parameter) -> bool:
    parts = _parts(parameter.annotation)
    return Tick in parts or (parts == (Any,) and parameter.name == _TICK_NAME)


def _needs_state(parameter: Parameter) -> str:
    models = [each for each in _parts(parameter.annotation) if _is_model(each)]
    example = models[0].__name__ if models else "Cursor"
    return f"it takes {parameter.name}, and keeps no state: @poll(..., state={example})"


def _state_problems(parameter: Parameter, state: type[BaseModel]) -> list[str]:
    parts = _parts(parameter.annotation)
    if Any in parts:
        return []
    wanted = f"{state.__name__} | None"
    if state not in parts:
        return [
            f"state is {state.__name__}, and parameter {parameter.name} is something else: make it {wanted}"
        ]
    if type(None) not in parts:
        return [f"parameter {parameter.name} is given None on the first tick: make it {wanted}"]
    return []


def _too_many(parameter: Parameter) -> str:
    return f"nothing is given to parameter {parameter.name}: a poll takes the state and the tick"


def _parts(annotation: Any) -> tuple[Any, ...]:
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
