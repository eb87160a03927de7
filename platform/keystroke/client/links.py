"""Answering a hook by its link: the link says where, and is all that is needed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from keystroke.client.connection import Connection
from keystroke.errors import HookNotFound

_PATH = "/hooks/"


def is_link(text: str) -> bool:
    """Whether this is the URL of a hook, and no id or token."""
    return text.startswith(("http://", "https://"))


def answer_link(url: str, answer: Any, *, name: str = "cli", timeout: float = 30.0) -> dict[str, Any]:
    """Answer the hook that the URL leads to: `{hook, status, answered_at}`; no API key is sent there.

    Raises HookNotFound for a URL that is no hook's, ServerUnreachable, RequestRefused.
    """
    parts = _split(url)
    if parts is None:
        raise HookNotFound(hook="at this URL: it ends in /hooks/ and the token")
    base, token = parts
    connection = Connection(base, None, name, timeout)
    try:
        taken: dict[str, Any] = connection.post_outside(_PATH + token, answer)
    finally:
        connection.close()
    return taken


def _split(url: str) -> tuple[str, str] | None:
    """The server and the token that a URL names; its query (a link of one click has one) is left out."""
    try:
        found = urlsplit(url)
    except ValueError:
        return None
    before, separator, token = found.path.rpartition(_PATH)
    if not found.hostname or not separator or not token or "/" in token:
        return None
    return f"{found.scheme}://{found.netloc}{before}", token
