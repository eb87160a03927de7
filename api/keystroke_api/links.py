"""Addresses that are a credential, the links of hooks: they stay out of logs, referrers, caches and search engines."""

from __future__ import annotations

import re
from typing import Final

from flask import request

#: `/hooks/` and whatever stands behind it, a mistyped token too, but for the pages of a hook's id.
_LINK: Final = re.compile(r"/+hooks/+(?!hook_[0-9a-z]*/answer\Z).", re.DOTALL)
_SHOWN: Final = "/hooks/{token}"
LINK_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


def is_link() -> bool:
    """Whether the address of this request may hold a token."""
    return _LINK.match(request.path) is not None


def shown_path() -> str:
    """The path of this request as it may be written down."""
    return _SHOWN if is_link() else request.path
