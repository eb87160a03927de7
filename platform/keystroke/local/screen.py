"""What `keystroke dev` writes: the lines of all programs, each behind the name of its program."""

from __future__ import annotations

import os
import sys
from typing import Final, TextIO

_COLOURS: Final = {"api": 36, "worker": 32, "beat": 35, "broker": 33, "dev": 34}
_WIDTH: Final = max(map(len, _COLOURS))


class Screen:
    """Writes whole lines to a stream, in colour on a terminal (NO_COLOR and FORCE_COLOR have their say)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """`stream` is stdout unless given."""
        self._stream = stream or sys.stdout
        wanted = bool(os.environ.get("FORCE_COLOR")) or self._stream.isatty()
        self._gone = False
        self._coloured = wanted and not os.environ.get("NO_COLOR")

    def write(self, name: str, text: str) -> None:
        """One line, or several, of a program."""
        prefix = f"{name:<{_WIDTH}} |"
        if self._coloured:
            prefix = f"\x1b[{_COLOURS.get(name, 37)}m{prefix}\x1b[0m"
        self.say("\n".join(f"{prefix} {line}" for line in text.splitlines() or [""]))

    def say(self, text: str) -> None:
        """Something that `keystroke dev` says itself, without a prefix."""
        if self._gone:
            return
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            # The terminal was closed, or the reader of the pipe has ended: the programs still have to be ended well.
            self._gone = True
