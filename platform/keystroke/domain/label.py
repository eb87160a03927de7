"""Short texts that code sets on a run (tags, names of usage, progress): what every database can keep and index."""

from __future__ import annotations

from typing import Final

from keystroke.domain.secrets import redact_tokens

#: Characters. Key and value of a tag are indexed together, and an index has no room for more.
LONGEST_TAG_KEY: Final = 128
LONGEST_TAG: Final = 400
LONGEST_LABEL: Final = 400


def check_label(value: object, what: str, longest: int = LONGEST_LABEL) -> str:
    """The text. Raises TypeError where it is none, ValueError where it is too long or holds NUL or a lone surrogate."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is text, not {value!r}")
    if len(value) > longest:
        raise ValueError(f"{what} has {len(value)} characters; at most {longest} are kept")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{what} holds NUL or a lone surrogate, which cannot be kept: {value!r}")
    return value


def storable(text: str, longest: int) -> str:
    """The text for display, cut, without tokens of hooks, and without what a database refuses."""
    shown = (
        redact_tokens(text).replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    )
    return shown if len(shown) <= longest else f"{shown[:longest]} ..."
