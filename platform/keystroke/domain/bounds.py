"""What bounds a run that its definition bounds: the time it works, and what it costs. Both end it for good."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from keystroke.domain.failure import Failure
from keystroke.domain.states import Reason
from keystroke.domain.usage import plain
from keystroke.errors import BudgetExceeded, RunTimedOut, TickTimedOut


def out_of_time(worked: timedelta, timeout: timedelta) -> Failure:
    """The failure of a run that worked longer than it may, all attempts together."""
    error = RunTimedOut(worked=_seconds(worked), timeout=_seconds(timeout))
    return Failure(type(error).__name__, str(error), Reason.TIMEOUT)


def tick_out_of_time(worked: timedelta, timeout: timedelta) -> Failure:
    """The failure of a tick that worked longer than it may, all attempts together."""
    error = TickTimedOut(worked=_seconds(worked), timeout=_seconds(timeout))
    return Failure(type(error).__name__, str(error), Reason.TIMEOUT)


def beyond_budget(cost: Decimal, budget: Decimal, currency: str, step: str | None) -> Failure:
    """The failure of a run that cost more than it may; `step` is the one that brought it there."""
    error = BudgetExceeded(cost=f"{plain(cost)} {currency}", budget=plain(budget))
    return Failure(type(error).__name__, str(error), Reason.BUDGET_EXCEEDED, step=step)


def _seconds(duration: timedelta) -> str:
    """`90`, `0.25`: to the millisecond, without trailing zeros."""
    return f"{duration.total_seconds():.3f}".rstrip("0").rstrip(".")
