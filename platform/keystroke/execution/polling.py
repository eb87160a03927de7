"""What a poll brought, looked through by the author's own code: payloads validated, filtered, and given their keys.

All of it runs as user code does: validators, filters and keys are the author's, and may take their time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from keystroke.authoring.poll import Poll
from keystroke.authoring.poll_result import PollResult
from keystroke.authoring.source import Source
from keystroke.box import Box
from keystroke.domain.payload import digest, encode_payload
from keystroke.domain.states import Reason
from keystroke.domain.tick import Brought, Item
from keystroke.errors import NoStateKept, NotADedupeKey, TooManyPayloads
from keystroke.execution.failures import describe

#: Payloads of one tick. Their runs are started in one transaction, which nobody else should have to wait for.
MOST_PAYLOADS: Final = 1000
#: Longer keys are kept as their digest.
_LONGEST_KEY: Final = 200


def sharing(sources: Iterable[Source], poll: Poll) -> list[Poll]:
    """The polls that share this one's ticks, itself among them, by slug: the first one's function is called for all."""
    group = poll.group
    together = [
        each for each in sources if isinstance(each, Poll) and group is not None and each.group == group
    ]
    return sorted(together, key=lambda each: each.slug) or [poll]


def look_through(poll: Poll, result: PollResult[Any], directory: Path, limit: int) -> Brought:
    """What a result is for one poll; where its own code fails on it, that failure."""
    try:
        if len(result.payloads) > MOST_PAYLOADS:
            raise TooManyPayloads(source=poll.slug, count=len(result.payloads), most=MOST_PAYLOADS)  # noqa: TRY301
        items = tuple(_items(poll, result.payloads, limit))
    except Exception as error:  # noqa: BLE001 - the author's validators, filters and keys run in there
        return Brought(poll.slug, failure=describe(error, directory, reason=Reason.USER_ERROR))
    attached = tuple(each.workflow.slug for each in poll.attachments)
    return Brought(poll.slug, items, len(result.payloads), attached)


def next_state(poll: Poll, state: Any, box: Box | None, limit: int) -> Any:
    """The state as it is recorded, secrets sealed; None where the poll gave none, and goes on from the one before."""
    if state is None:
        return None
    if poll.state_codec is None:
        raise NoStateKept(source=poll.slug)
    what = f"the state of {poll.slug}"
    recorded = poll.state_codec.dump(state, what, box)
    encode_payload(recorded, what=what, limit=limit)
    return recorded


def _items(poll: Poll, payloads: Iterable[Any], limit: int) -> Iterator[Item]:
    for number, payload in enumerate(payloads, 1):
        what = f"payload {number} of {poll.slug}"
        recorded = poll.payload.record(payload, what)
        encode_payload(recorded.payload, what=what, limit=limit)
        if poll.filter is not None and not poll.filter(recorded.value):
            continue
        workflows = tuple(
            each.workflow.slug
            for each in poll.attachments
            if each.filter is None or each.filter(recorded.value)
        )
        yield Item(recorded.payload, _key(poll, recorded.value), workflows)


def _key(poll: Poll, value: Any) -> str | None:
    if poll.dedupe_key is None:
        return None
    key = poll.dedupe_key(value)
    if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
        raise NotADedupeKey(source=poll.slug, found=repr(key)[:200])
    text = str(key)
    storable = len(text) <= _LONGEST_KEY and text.isprintable()
    return text if storable else f"sha256:{digest(text.encode('utf-8', 'surrogatepass').hex())}"
