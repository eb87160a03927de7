"""Start what a poll has brought for one source: all that is new, or for a dry run tell what that would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keystroke.box import Box
from keystroke.domain.lease import TickLease
from keystroke.domain.payload import encode_payload
from keystroke.domain.source import attachment_id
from keystroke.domain.tick import Brought, Item
from keystroke.operations.canceling import CancelRequested
from keystroke.operations.keep_payload import seal_named, without_reserved
from keystroke.operations.start_attached import SourceEvent, Wish, reserve_attached, start_attached, wishes
from keystroke.settings import Settings
from keystroke.store import Tx, access, polls
from keystroke.store.sources import Source
from keystroke.store.tick_claims import TickEnd

#: Runs that a dry run shows.
_MOST_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class StartedBrought:
    """How the tick ends for the source, the queues to wake, and the runs that limits have canceled for those started."""

    end: TickEnd
    woken: frozenset[tuple[str, str]] = frozenset()
    canceled: tuple[CancelRequested, ...] = ()


def start_brought(
    tx: Tx,
    source: Source,
    share: Brought,
    lease: TickLease,
    tick_id: str,
    state: Any,
    settings: Settings,
    box: Box | None,
) -> StartedBrought:
    """Start the runs, and remember the keys of what has started some; the caller has locked the source's row.

    Raises what refuses a start; then nothing was written.
    """
    wanted, keys, seen = _new_ones(tx, source, share)
    counts = {"payloads": share.payloads, "filtered": share.payloads - len(share.items), "seen": seen}
    if lease.dry_run:
        shown = {**counts, "runs": len(wanted), "state": state, "starts": _shown(wanted, box)}
        return StartedBrought(TickEnd("fired" if wanted else "filtered", found=_text(shown)))
    event = SourceEvent(
        tick_id,
        scheduled_at=lease.scheduled_at,
        previous_fire=lease.previous,
        missed=lease.missed,
        actor=polls.actor_of(tx, lease.tick_id),
    )
    project = access.projects_of(tx, [source.project_id])[source.project_id]
    started = start_attached(tx, project, event, wanted, settings, box)
    polls.remember(tx, source.id, keys, _kept_us(source))
    found = _text({**counts, "runs": len(started)})
    end = TickEnd("fired" if started else "filtered", run_ids=[each.run_id for each in started], found=found)
    woken = frozenset(queue for each in started for queue in each.woken)
    return StartedBrought(end, woken, tuple(other for each in started for other in each.canceled))


def reserve_brought(
    tx: Tx,
    shares: Sequence[tuple[Source, Brought]],
    lease: TickLease,
    settings: Settings,
    box: Box | None,
) -> None:
    """Take the locks that the starts of several polls need, all of them before the first run; their rows are locked already."""
    wanted = [wish for source, share in shares for wish in _new_ones(tx, source, share)[0]]
    project = access.projects_of(tx, [lease.project_id])[lease.project_id]
    reserve_attached(tx, project, SourceEvent(lease.tick_id), wanted, settings, box)


def _new_ones(tx: Tx, source: Source, share: Brought) -> tuple[list[Wish], list[str], int]:
    """What is to be started, the keys that have come and stay known, and how many items were seen before."""
    known = polls.seen(tx, source.id, {item.key for item in share.items if item.key is not None})
    wanted: list[Wish] = []
    keys: dict[str, None] = dict.fromkeys(sorted(known))
    seen = 0
    for item in share.items:
        if item.key is not None and item.key in keys:
            seen += 1
            continue
        found = list(_wishes(source, share, item))
        wanted += found
        # What started nothing may start something when it comes again, by another filter or an attachment of its own.
        if found and item.key is not None:
            keys[item.key] = None
    return wanted, list(keys), seen


def _wishes(source: Source, share: Brought, item: Item) -> Iterator[Wish]:
    """What an item starts; a filter that the executing code did not have lets nothing pass."""
    for wish in wishes(source, item.payload):
        unknown = wish.attachment.workflow not in share.attached
        if wish.attachment.workflow in item.workflows or (unknown and not wish.attachment.manifest.filter):
            yield wish


def _shown(wanted: list[Wish], box: Box | None) -> list[dict[str, Any]]:
    return [
        {
            "attachment": attachment_id(wish.source.slug, wish.attachment.workflow),
            "payload": seal_named(wish.source.manifest.payload_schema, without_reserved(wish.payload), box),
        }
        for wish in wanted[:_MOST_SHOWN]
    ]


def _kept_us(source: Source) -> int:
    return round((source.manifest.options.get("dedupe_for") or 0) * 1_000_000)


def _text(found: dict[str, Any]) -> str:
    return encode_payload(found, what="what was found")
