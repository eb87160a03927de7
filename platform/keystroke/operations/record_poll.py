"""The end of a tick of a poll: its state, its runs and its outcome are one transaction, which claims the next work, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.failure import Failure
from keystroke.domain.lease import Claimant, TickLease
from keystroke.domain.outcome import NO_RECORDS, Canceled, Failed, HandedBack
from keystroke.domain.payload import encode_payload
from keystroke.domain.poll_pace import next_after_failure
from keystroke.domain.states import Reason, Status
from keystroke.domain.tick import Brought, Polled, TickResult
from keystroke.domain.trigger_health import UNHEALTHY_AFTER
from keystroke.errors import DatabaseUnavailable, KeystrokeError, StateEdited, TickCanceled
from keystroke.operations.canceling import CancelRequested
from keystroke.operations.claiming import Claimed, claim_next
from keystroke.operations.finish_attempt import Finished
from keystroke.operations.notify import notify_unhealthy
from keystroke.operations.start_brought import reserve_brought, start_brought
from keystroke.settings import Settings
from keystroke.store import Database, Tx, polls, sources, tick_claims, traces
from keystroke.store.polls import NewTick
from keystroke.store.sources import Source
from keystroke.store.tick_claims import HeldTick, TickEnd
from keystroke.telemetry import announce
from keystroke.telemetry.events import TraceNotWritten

#: How a tick ends that somebody has canceled, whatever it came to.
_CANCELED: Final = Failure(TickCanceled.__name__, str(TickCanceled()), Reason.CANCELED_BY_USER)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The tick as it was left; None: the attempt had lost it before."""

    status: Status | None
    woken: tuple[tuple[str, str], ...] = ()
    canceled: tuple[CancelRequested, ...] = ()


def finish_tick(
    database: Database,
    lease: TickLease,
    result: TickResult,
    settings: Settings,
    box: Box | None,
    claimant: Claimant | None,
) -> Finished:
    """Record what a tick came to, and with a claimant claim its next work: in one transaction.

    `status` of what is given is `queued` where the tick was given back, `failed` where it failed, else `success`. What cannot
    be started fails the tick. Raises DatabaseUnavailable: then it is tried again, without a claimant.
    """
    try:
        return _finish(database, lease, result, settings, box, claimant)
    except DatabaseUnavailable:
        raise
    except KeystrokeError as error:
        failure = Failure(type(error).__name__, str(error), Reason.USER_ERROR)
        failed = replace(result, end=Failed(failure, Reason.USER_ERROR))
        return _finish(database, lease, failed, settings, box, claimant)
    except Exception as error:
        if not result.last.has_trace:
            raise
        # None of what is shown is worth a tick's end.
        announce(TraceNotWritten(run_id=lease.tick_id, why=f"{type(error).__name__}: {error}"))
        return _finish(database, lease, replace(result, last=NO_RECORDS), settings, box, claimant)


def _finish(
    database: Database,
    lease: TickLease,
    result: TickResult,
    settings: Settings,
    box: Box | None,
    claimant: Claimant | None,
) -> Finished:
    with database.transaction() as tx:
        recorded = record_end(tx, lease, result, settings, box)
        if result.last.has_trace:
            traces.add_under(tx, lease.tick_id, result.last.spans, result.last.lines, settings.trace_cap)
        claimed = Claimed(None) if claimant is None else claim_next(tx, claimant)
        crash_point("tick-ending")
    crash_point("tick-ended")
    won = recorded.status is not None
    return Finished(won, recorded.status, claimed.lease, recorded.woken, claimed.again, recorded.canceled)


def record_end(tx: Tx, lease: TickLease, result: TickResult, settings: Settings, box: Box | None) -> Recorded:
    """The end of one attempt, inside the caller's transaction."""
    return _Ending(tx, lease, result, settings, box).record()


class _Ending:
    """The end of one attempt, inside its transaction."""

    def __init__(
        self, tx: Tx, lease: TickLease, result: TickResult, settings: Settings, box: Box | None
    ) -> None:
        self._tx, self._lease, self._result = tx, lease, result
        self._settings, self._box = settings, box
        self._woken: set[tuple[str, str]] = set()
        self._canceled: list[CancelRequested] = []

    def record(self) -> Recorded:
        """The locks of the sources come first, as everywhere, then that of the tick."""
        tx, lease = self._tx, self._lease
        group = polls.lock_group(tx, sources.source_of(tx, lease.source_id))
        held = tick_claims.hold(tx, lease.tick_id, lease.attempt)
        if held is None:
            return self._recorded_before()
        end = self._result.end
        if held.cancel_requested or isinstance(end, Canceled):
            return self._fail_own(_CANCELED)
        if isinstance(end, HandedBack):
            return self._give_back(held)
        return self._settle(end, group)

    def _recorded_before(self) -> Recorded:
        """It was committed while its answer was lost, perhaps."""
        outcome = tick_claims.outcome_after(self._tx, self._lease.tick_id, self._lease.attempt)
        if outcome is None:
            return Recorded(None)
        return Recorded(Status.FAILED if outcome == "error" else Status.SUCCESS)

    def _give_back(self, held: HeldTick) -> Recorded:
        tick_claims.requeue(self._tx, self._lease.tick_id, self._lease.attempt, active=self._result.active)
        return Recorded(Status.QUEUED, ((held.project_id, held.queue),))

    def _fail_own(self, failure: Failure) -> Recorded:
        """An end that says nothing of the source: somebody has canceled the tick, or edited the state."""
        self._end(TickEnd("error", _text(failure)))
        return Recorded(Status.FAILED)

    def _settle(self, end: Polled | Failed, group: Sequence[Source]) -> Recorded:
        """Each source has its own share of what was found."""
        own = next(each for each in group if each.id == self._lease.source_id)
        if isinstance(end, Polled) and self._state_was_edited():
            if not self._lease.dry_run:
                polls.set_failures(self._tx, own.id, own.failures, own.next_at and own.now)
            error = StateEdited(source=own.slug)
            return self._fail_own(Failure(type(error).__name__, str(error), Reason.USER_ERROR))
        shares = {each.source: each for each in end.brought} if isinstance(end, Polled) else {}
        failure = end.failure if isinstance(end, Failed) else None
        members = [
            (each, shares.get(each.slug) or Brought(each.slug, failure=failure))
            for each in (group if self._lease.origin == "" else ())
            if each.id != own.id and each.active and (each.slug in shares or failure is not None)
        ]
        share = shares.get(own.slug) or Brought(own.slug, failure=failure)
        if members and failure is None:
            reserve_brought(self._tx, [(own, share), *members], self._lease, self._settings, self._box)
        ended = self._settle_own(own, share, end)
        for each, its_share in members:
            self._settle_member(each, its_share, end)
        status = Status.FAILED if ended.outcome == "error" else Status.SUCCESS
        return Recorded(status, tuple(sorted(self._woken)), tuple(self._canceled))

    def _settle_own(self, source: Source, share: Brought, end: Polled | Failed) -> TickEnd:
        ended = self._start(source, share, self._lease.tick_id, end)
        self._end(ended)
        if isinstance(end, Polled) and share.failure is None and not self._lease.dry_run:
            self._keep_state(end)
        return ended

    def _settle_member(self, source: Source, share: Brought, end: Polled | Failed) -> None:
        """Its own tick, of the same time and with the same trace."""
        tick_id = polls.new_tick_id()
        ended = self._start(source, share, tick_id, end)
        tick = NewTick(
            source, scheduled_at=self._lease.scheduled_at, previous_at=self._lease.previous, missed=self._lease.missed,
            outcome=ended.outcome, found=ended.found, error=ended.error, run_ids=ended.run_ids,
            trace_id=self._lease.trace_id,
        )  # fmt: skip
        polls.insert_tick(self._tx, tick, tick_id)

    def _start(self, source: Source, share: Brought, tick_id: str, end: Polled | Failed) -> TickEnd:
        if share.failure is not None:
            if not isinstance(end, Failed) or end.counts:
                self._count_failure(source, share.failure, tick_id)
            return TickEnd("error", _text(share.failure))
        state = end.state if isinstance(end, Polled) else None
        started = start_brought(
            self._tx, source, share, self._lease, tick_id, state, self._settings, self._box
        )
        self._woken.update(started.woken)
        self._canceled += started.canceled
        if source.failures and not self._lease.dry_run:
            polls.set_failures(self._tx, source.id, 0, source.next_at)
        return started.end

    def _count_failure(self, source: Source, failure: Failure, tick_id: str) -> None:
        """One more in a row, and when to look again. A dry run counts for nothing."""
        if self._lease.dry_run:
            return
        failures = source.failures + 1
        next_at = next_after_failure(failures, source.now, source.next_at)
        polls.set_failures(self._tx, source.id, failures, next_at)
        if failures == (source.manifest.options.get("unhealthy_after") or UNHEALTHY_AFTER):
            notify_unhealthy(self._tx, source, tick_id, failures, failure.as_json(), self._settings)

    def _keep_state(self, end: Polled) -> None:
        if end.state is not None:
            body = encode_payload(end.state, what="state", limit=self._settings.payload_limit)
            if body != self._result.state_before:
                polls.put_state(self._tx, self._lease.source_id, body, self._lease.tick_id)

    def _state_was_edited(self) -> bool:
        state = polls.state_of(self._tx, self._lease.source_id)
        return (None if state is None else state.body) != self._result.state_before

    def _end(self, ended: TickEnd) -> None:
        lease = self._lease
        tick_claims.end(self._tx, lease.tick_id, lease.attempt, ended, active=self._result.active)


def _text(failure: Failure) -> str:
    return json.dumps(failure.as_json())
