"""What executing a tick came to: what the poll brought for each source, or why it brought nothing.

`found` of a tick, as it is kept and served:

    {payloads, filtered, seen, runs}                  how many were returned, of these filtered out, seen before; runs started
    {..., state, starts: [{attachment, payload}]}     of a dry run, besides: the state and the runs that would have been
                                                      (the first hundred)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from keystroke.domain.failure import Failure
from keystroke.domain.outcome import NO_RECORDS, Canceled, Failed, HandedBack, LastRecords


@dataclass(frozen=True, slots=True)
class Item:
    """A payload that passed the source's filter: its JSON, secrets in clear; the key it is known by if it comes again.

    `workflows` are those attached whose own filters let it pass.
    """

    payload: Any
    key: str | None
    workflows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brought:
    """What a poll brought for one source, which is named by its slug; with a `failure` nothing of it counts.

    `payloads` is how many the function returned, `attached` are the workflows that the executing code has attached: what was
    attached since is not known to it.
    """

    source: str
    items: tuple[Item, ...] = ()
    payloads: int = 0
    attached: tuple[str, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """The function returned. `state` is what to go on from, None: from where it was."""

    brought: tuple[Brought, ...]
    state: Any = None


#: How the execution of a tick ends.
TickEnd = Polled | Failed | Canceled | HandedBack


@dataclass(frozen=True, slots=True)
class TickResult:
    """How an attempt of a tick ended, and how long it worked; `state_before` is the text of the state that it was given.

    `last` is what it said last, to be written with its end.
    """

    end: TickEnd
    active: timedelta
    state_before: str | None = None
    last: LastRecords = NO_RECORDS


#: An attempt that could not be made, or was given up: another one makes it anew.
GIVEN_BACK: Final = TickResult(HandedBack(), timedelta())
