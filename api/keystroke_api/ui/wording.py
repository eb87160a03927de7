"""How times, durations, sizes, counts, money and names in prose read on a page."""

from __future__ import annotations

from markupsafe import Markup, escape

from keystroke.domain.wording import (
    counted,
    duration_text,
    full_time_text,
    money_text,
    size_text,
    time_text,
)

__all__ = ["counted", "duration_text", "full_time_text", "money_text", "size_text", "ticked", "time_text"]


def ticked(text: str) -> Markup:
    """Plain text whose `words in backticks` are code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd backtick is just a character
        return escape(text)
    pieces = (
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )
    return Markup("").join(pieces)
