"""Texts of others on a terminal: shown, never obeyed."""

from __future__ import annotations

import re
from typing import Final

#: Control characters, but for line feeds and tabs.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text with what would move the terminal's cursor or colour it spelled out, an escape as backslash x1b."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
