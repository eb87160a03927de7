"""Where a run stands that does not run: what it waits for, by name and number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a run's waiting beyond its record; all of it is of one moment, `now`.

    `shared` names what the runs of its limit have in common ("customer acme"; empty: the workflow), `running` of `limit` of them
    run (`limit` 0: it waits for the run before it, of its schedule), `ahead` come before it (MOST_AHEAD is where the count ends).
    `rate` runs may begin in `per`. `workers` serve its queue. `due` is when its pause is over. `hooks` are the names of those it
    waits for, `children` the number of child runs.
    """

    now: datetime
    due: datetime | None = None
    shared: str = ""
    running: int = 0
    limit: int = 0
    rate: int = 0
    per: timedelta = timedelta()
    ahead: int = 0
    workers: int = 0
    hooks: tuple[str, ...] = ()
    children: int = 0


#: Nobody waits for the exact number of those before him where there are more.
MOST_AHEAD = 1_000
