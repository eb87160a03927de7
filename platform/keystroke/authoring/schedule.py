"""Schedules: sources that fire by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from keystroke.authoring.codec import Codec
from keystroke.authoring.definition import report_at
from keystroke.authoring.schedule_options import check_schedule
from keystroke.authoring.signature import UnreadableAnnotation, read_signature
from keystroke.authoring.source import AttachedWorkflow, Source, caller_place
from keystroke.domain.catch_up import CATCH_UP_LIMIT, CatchUp, Overlap
from keystroke.domain.durations import Duration
from keystroke.errors import InvalidValue, KeystrokeError


class Schedule(Source):
    """A source that fires by the clock; made by `schedule`."""

    kind = "schedule"

    def problems(self) -> list[str]:
        """What is wrong with it as a whole: its payload has to fit what it starts."""
        return super().problems() or list(self._payload_problems())

    def _payload_problems(self) -> Iterator[str]:
        for each in self.attachments:
            taker, codec = self._taker(each)
            if codec is None:
                continue
            try:
                codec.load(self.options["payload"], what=f"payload for {taker}")
            except InvalidValue as error:
                yield f"{self.subject}: {error}"

    def _taker(self, attached: AttachedWorkflow) -> tuple[str, Codec | None]:
        """What is given the payload, and what it takes; None where that cannot be told, or is told elsewhere."""
        if attached.transform is None:
            workflow = attached.workflow
            return f"the workflow {workflow.slug}", None if workflow.problems() else workflow.input
        taker = f"the transform for {attached.workflow.slug}"
        try:
            first = read_signature(attached.transform, {}).parameters[0]
            return taker, Codec(first.annotation, "input")
        except (UnreadableAnnotation, KeystrokeError, ValueError, TypeError, IndexError):
            return taker, None


def schedule(  # noqa: PLR0913 - the options of the language, by name
    slug: str,
    cron: str | None = None,
    *,
    every: Duration | None = None,
    timezone: str = "UTC",
    payload: Any = None,
    catch_up: CatchUp = "last",
    catch_up_limit: int = CATCH_UP_LIMIT,
    overlap: Overlap = "allow",
    jitter: Duration | None = None,
    starts_at: datetime | str | None = None,
    ends_at: datetime | str | None = None,
    pause_after: int | None = None,
    max_lateness: Duration | None = None,
    expected_within: Duration | None = None,
    name: str | None = None,
    description: str | None = None,
) -> Schedule:
    """A source that fires at the times of a cron expression, or once in every so long; attach workflows to it.

    `cron` is minute, hour, day of month, month and day of week (`"0 2 * * MON-FRI"`), or `"@daily"`, by the clocks of `timezone`
    (IANA). With six fields the first is the seconds. `L` is the last day of a month (`L5` its last Friday), `FRI#2` the second
    Friday. Where both day of month and day of week are given, either of them suffices.
    `every` is an interval in its place, a second or longer, counted from `starts_at`, or else from 1970-01-01T00:00:00Z.
    `payload` (JSON) is the input of what is attached, or what its transform is given.
    `catch_up`: after a while in which nobody looked, `last` starts once, for the newest of the missed times; `all` for each of
    them, the newest `catch_up_limit`; `none` for none of them, where late means by more than ten seconds.
    `overlap`, while a run that it started before goes on: `allow` starts another; `skip` does not; `queue_one` starts one that
    waits for the other's end, and no third; `cancel_running` cancels the other.
    `jitter` puts off each time by up to so long, always by as much for the same time.
    `starts_at` is the first instant at which it may fire, `ends_at` the first at which it may not any more; without an offset
    they are meant in `timezone`.
    `pause_after` so many failed runs in a row it is paused, until somebody resumes it.
    `max_lateness`: what would be later than this is not started, and is recorded as missed.
    `expected_within`: a notification tells when no run of it has succeeded so long after its time.

    Raises DefinitionError where an option is wrong; while a project is loaded, all such problems are reported together.
    """
    place, module = caller_place()
    options, messages = check_schedule(
        slug=slug, cron=cron, every=every, timezone=timezone, payload=payload, catch_up=catch_up,
        catch_up_limit=catch_up_limit, overlap=overlap, jitter=jitter, starts_at=starts_at, ends_at=ends_at,
        pause_after=pause_after, max_lateness=max_lateness, expected_within=expected_within, name=name,
        description=description,
    )  # fmt: skip
    report_at(place, messages)
    return Schedule(slug, name=name, description=description, options=options, place=place, module=module)
