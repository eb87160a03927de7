"""Pause schedules whose runs go on failing, until somebody resumes them."""

from __future__ import annotations

from collections.abc import Sequence

from keystroke.domain.source import UNTIL_RESUMED
from keystroke.operations.notify import notify_paused
from keystroke.settings import Settings
from keystroke.store import Database, Tx, schedules, sources
from keystroke.store.sources import Source


def pause_failing(database: Database, settings: Settings) -> list[Source]:
    """Pause all that have failed as often in a row as they may; those that were paused."""
    with database.single_read() as tx:
        failing = schedules.failing(tx)
    if not failing:
        return []
    with database.transaction() as tx:
        return pause_failing_of(tx, sources.lock_sources(tx, failing), settings)


def pause_failing_of(tx: Tx, held: Sequence[Source], settings: Settings) -> list[Source]:
    """The same of sources whose rows the caller has locked."""
    watched = {source.id: source for source in held if source.manifest.options.get("pause_after")}
    found = [watched[each] for each in (schedules.failing(tx, list(watched)) if watched else ())]
    for source in found:
        times = source.manifest.options["pause_after"]
        runs = "Its last run has" if times == 1 else f"Its last {times} runs have"
        schedules.pause(tx, source.id, UNTIL_RESUMED, f"{runs} failed.")
        notify_paused(tx, source, times, settings)
    return found
