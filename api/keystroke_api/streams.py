"""Server-sent events: what becomes of one run, and which runs of the list change.

The reader thread of `Waits` looks for all of them; a stream holds a thread, never a connection to the database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any, Final

from keystroke.domain import presentation
from keystroke.domain.run import Progress
from keystroke.domain.scope import Scope
from keystroke.domain.step import StepState
from keystroke.errors import RunNotFound
from keystroke.store import Tx, changes, history
from keystroke_api.event_position import Position

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
    """The events of one run: `status`, `step`, `progress`, `log`, and `end` after the last of them.

    A position resumes statuses and logs exactly. Steps and progress are states, sent whole: again after a resumption.
    """

    def __init__(self, scope: Scope, run_id: str, position: Position) -> None:
        """Go on after a position."""
        super().__init__(scope)
        self._run_id = run_id
        self._position = position
        self._steps: dict[str, StepState] = {}
        self._progress: Progress | None = None

    def look(self, tx: Tx) -> None:
        """Logs before the status, so that none of them comes after `end`."""
        if self.full:
            return
        try:
            progress = changes.get_progress(self.scope, tx, self._run_id)
        except RunNotFound:
            self._finish()
            return
        moved = changes.list_new_transitions(self.scope, tx, self._run_id, self._position.transition)
        more = self._look_for_logs(tx)
        self._look_for_steps(tx)
        if progress is not None and progress != self._progress:
            self._progress = progress
            self.send("progress", presentation.progress_json(progress), str(self._position))
        if more:
            return  # the statuses come when all logs before them are sent
        for number, entry in moved:
            self._position = self._position.after_transition(number)
            self.send("status", presentation.timeline_json(entry), str(self._position))
        if moved and moved[-1][1].status.terminal:
            self._finish()

    def _look_for_logs(self, tx: Tx) -> bool:
        """Send the next lines; True where there are more."""
        lines = history.list_logs(
            self.scope, tx, self._run_id, after=self._position.log, limit=_MOST_LOGS + 1
        )
        for number, line in lines[:_MOST_LOGS]:
            self._position = self._position.after_log(number)
            self.send("log", {**presentation.log_json(line), "number": number}, str(self._position))
        return len(lines) > _MOST_LOGS

    def _look_for_steps(self, tx: Tx) -> None:
        for state in changes.list_step_states(self.scope, tx, self._run_id):
            if self._steps.get(state.identity) != state:
                self._steps[state.identity] = state
                self.send("step", presentation.step_state_json(state), str(self._position))

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
