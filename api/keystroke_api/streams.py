"""Server-sent events: what becomes of one run, and which runs of the list change.

The reader thread of `Waits` looks for all of them; a stream holds a thread, never a connection to the database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any, Final

from keystroke.domain import presentation
from keystroke.domain.scope import Scope
from keystroke.domain.trace import LogLine
from keystroke.errors import RunNotFound
from keystroke.store import Tx, changes
from keystroke.store.changes import Between, Latest
from keystroke_api.event_position import BEGINNING

#: Seconds of silence after which a comment shows that the connection lives.
_SILENCE: Final = 15.0
#: Seconds after which a stream ends and its reader connects anew: then its key is looked at again.
_LONGEST: Final = 300.0
#: Events that wait for a slow reader; beyond it the list's stream says `reset`, a run's stream reads on later.
_MOST_WAITING: Final = 500
#: Seconds within which a number of a transition may still become visible.
_LATENESS: Final = 5.0
_MOST_LOGS: Final = 200


class Stream:
    """What is sent to one reader."""

    def __init__(self, scope: Scope) -> None:
        """For somebody who sees this much."""
        self.scope = scope
        self._waiting: SimpleQueue[str | None] = SimpleQueue()

    @property
    def full(self) -> bool:
        """Whether the reader is too slow for what happens."""
        return self._waiting.qsize() >= _MOST_WAITING

    def send(self, event: str, data: Any, position: str | None = None) -> None:
        """One event; `position` is what the reader sends back as Last-Event-ID."""
        number = "" if position is None else f"id: {position}\n"
        self._waiting.put(f"event: {event}\n{number}data: {json.dumps(data, separators=(',', ':'))}\n\n")

    def end(self) -> None:
        """Nothing more will come. Safe in a signal handler."""
        self._waiting.put(None)

    def texts(self) -> Iterator[str]:
        """The stream as it is sent, until its end."""
        until = time.monotonic() + _LONGEST
        yield "retry: 2000\n\n"
        while time.monotonic() < until:
            try:
                text = self._waiting.get(timeout=_SILENCE)
            except Empty:
                text = ": still here\n\n"
            if text is None:
                return
            yield text

    def look(self, tx: Tx) -> None:
        """Send what has changed since the last look; called by the reader thread."""
        raise NotImplementedError


class RunStream(Stream):
    """The events of one run in the order of their numbers: `status`, `step`, `progress`, `log`, and `end` after the last.

    Steps and the progress are states: what changed twice since the last look is sent as it is now, under its newest number.
    """

    def __init__(self, scope: Scope, run_id: str, position: int) -> None:
        """Go on after the event of this number."""
        super().__init__(scope)
        self._run_id = run_id
        self._position = position
        self._line = 0

    def look(self, tx: Tx) -> None:
        """Send what happened since; `end` when the run has ended and all of it is sent."""
        if self.full:
            return
        try:
            latest = changes.get_latest(self.scope, tx, self._run_id)
        except RunNotFound:
            self._finish()
            return
        if self._position > latest.event:  # it is not of this run: nothing is to be missed
            self._position = BEGINNING
        if self._position < latest.event:
            self._send_new(tx, latest)
        if self._position == latest.event and latest.status.terminal:
            self._finish()

    def _send_new(self, tx: Tx, latest: Latest) -> None:
        between = Between(self._position, latest.event)
        lines = changes.list_lines(
            self.scope, tx, self._run_id, between, after_line=self._line, limit=_MOST_LOGS
        )
        if len(lines) == _MOST_LOGS:  # the rest comes with the next look
            between = Between(self._position, lines[-1][0])
        for number, name, data in sorted(self._events(tx, between, latest, lines), key=itemgetter(0)):
            self.send(name, data, str(number))
        self._position = between.until
        self._line = lines[-1][1] if lines else self._line

    def _events(
        self, tx: Tx, between: Between, latest: Latest, lines: Sequence[tuple[int, int, LogLine]]
    ) -> Iterator[tuple[int, str, dict[str, Any]]]:
        for event, number, line in lines:
            yield event, "log", {**presentation.log_json(line), "number": number}
        for event, state in changes.list_step_states(self.scope, tx, self._run_id, between):
            yield event, "step", presentation.step_state_json(state)
        for event, entry in changes.list_transitions(self.scope, tx, self._run_id, between):
            yield event, "status", presentation.timeline_json(entry)
        if latest.progress is not None and between.after < (latest.progress_event or 0) <= between.until:
            yield latest.progress_event or 0, "progress", presentation.progress_json(latest.progress)

    def _finish(self) -> None:
        self.send("end", {}, str(self._position))
        self.end()


class ListStream(Stream):
    """Which runs change: `runs` with their ids and statuses. After a gap it says `reset`: load the list again."""

    def __init__(self, scope: Scope, *, resumed: bool) -> None:
        """From now on; `resumed` where the reader missed what was between."""
        super().__init__(scope)
        self._floor: int | None = None
        self._marks: list[tuple[float, int]] = []
        self._sent: set[int] = set()
        if resumed:
            self.send("reset", {}, "0")

    def look(self, tx: Tx) -> None:
        """Send the transitions that became visible, each once, whatever the order of their numbers."""
        if self._floor is None:
            self._floor = changes.newest_change(tx)
            self.send("ready", {}, str(self._floor))
            return
        found = changes.list_changes(self.scope, tx, self._floor)
        new = [change for change in found if change.number not in self._sent]
        if self.full or len(found) == 1000:
            self._floor = changes.newest_change(tx)
            self._sent.clear()
            self.send("reset", {}, str(self._floor))
            return
        if new:
            self._sent |= {change.number for change in new}
            rows = [
                {
                    "id": each.run_id,
                    "transition": each.transition,
                    "status": each.status,
                    "workflow": each.workflow,
                }
                for each in new
            ]
            self.send("runs", {"data": rows}, str(new[-1].number))
        self._raise_floor(max((change.number for change in found), default=self._floor))

    def _raise_floor(self, newest: int) -> None:
        """Numbers below what was visible some seconds ago cannot become visible any more."""
        now = time.monotonic()
        self._marks.append((now, newest))
        while len(self._marks) > 1 and self._marks[1][0] < now - _LATENESS:
            self._marks.pop(0)
        if self._marks[0][0] < now - _LATENESS:
            self._floor = self._marks[0][1]
            self._sent = {number for number in self._sent if number > self._floor}
