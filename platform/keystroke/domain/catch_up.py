"""What is to be done for a schedule whose time has come: which of its times are started for, and which are given up.

Nearly always one time is due, and it is started for. More than one is when nobody looked for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from keystroke.domain.schedule import Timing

CatchUp = Literal["last", "all", "none"]
CATCH_UPS: Final[tuple[CatchUp, ...]] = ("last", "all", "none")
Overlap = Literal["allow", "skip", "queue_one", "cancel_running"]
OVERLAPS: Final[tuple[Overlap, ...]] = ("allow", "skip", "queue_one", "cancel_running")
#: How many of the missed times `all` makes up for, the newest ones.
CATCH_UP_LIMIT: Final = 100
MOST_CAUGHT_UP: Final = 10_000
#: With `none` a time is missed once it is late by more than this; less is what a busy machine costs.
ON_TIME: Final = timedelta(seconds=10)
#: So many times of one schedule are started for in one transaction; the others follow in the next.
_AT_ONCE: Final = 20
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a schedule makes up for what was missed; `max_lateness` None: however late."""

    catch_up: CatchUp = "last"
    limit: int = CATCH_UP_LIMIT
    max_lateness: timedelta | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Policy:
        """The policy of a schedule's published options."""
        catch_up: CatchUp = options.get("catch_up") or "last"
        lateness = options.get("max_lateness")
        latest = None if lateness is None else timedelta(seconds=lateness)
        if catch_up == "none" and latest is None:
            latest = ON_TIME
        return cls(catch_up, options.get("catch_up_limit") or CATCH_UP_LIMIT, latest)


@dataclass(frozen=True, slots=True)
class Passed:
    """A time, and how many before it, since the one that was decided on before, have passed together with it."""

    at: datetime
    before: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """What to do: `given_up` is recorded as missed, then each of `fires` is started for; then `next_at` is the next time.

    A fire stands for the times `before` it, too. `next_at` may be in the past: more of them are due.
    """

    fires: tuple[Passed, ...]
    given_up: Passed | None
    next_at: datetime | None


def what_is_due(timing: Timing, source_id: str, policy: Policy, since: datetime, now: datetime) -> Due:
    """Decide on the times after `since` whose jitter is over by now."""
    times, count = _due_times(timing, source_id, since, now, policy.limit if policy.catch_up == "all" else 1)
    if not times:
        return Due((), None, timing.next_after(since))
    late = policy.max_lateness
    fires = [each for each in times if late is None or now - timing.due(source_id, each) <= late]
    if not fires:
        return Due((), Passed(times[-1], count - 1), timing.next_after(times[-1]))
    older = count - len(fires)
    begun = fires[:_AT_ONCE]
    next_at = timing.next_after(begun[-1])
    if policy.catch_up == "last" or not older:
        return Due((Passed(begun[0], older), *(Passed(each) for each in begun[1:])), None, next_at)
    ((newest,), _) = timing.newest(since, fires[0] - _INSTANT, 1)
    return Due(tuple(Passed(each) for each in begun), Passed(newest, older - 1), next_at)


def _due_times(
    timing: Timing, source_id: str, since: datetime, now: datetime, most: int
) -> tuple[list[datetime], int]:
    """The newest of the times that are due, oldest first, and how many there are in all.

    What is older than the longest jitter is due without a look at it. The others are looked at in order, and one that is not
    due yet keeps those behind it waiting, too: times are decided on in their order.
    """
    sure = now - timedelta(microseconds=timing.jitter)
    times, count = timing.newest(since, sure, most) if since < sure else ([], 0)
    if not timing.jitter:
        return times, count
    at = timing.next_after(times[-1] if times else since)
    while at is not None and at <= now and timing.due(source_id, at) <= now:
        times.append(at)
        count += 1
        at = timing.next_after(at)
    return times[-most:], count
