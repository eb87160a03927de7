"""Post notifications: signed by Standard Webhooks, one deadline for each, and never on to where the receiver points."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from keystroke.operations.send_notifications import Answered
from keystroke.settings import Settings
from keystroke.store.notifications import Leased

#: Seconds in which the receiver has to have answered, from the look-up of its name on.
DEADLINE: Final = 15.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def post_all(taken: Sequence[Leased], settings: Settings, deadline: float = DEADLINE) -> list[Answered]:
    """Post them side by side; how each was answered, in their order. It raises nothing, and is over by the deadline."""
    return asyncio.run(_post_all(taken, settings, deadline))


async def _post_all(taken: Sequence[Leased], settings: Settings, deadline: float) -> list[Answered]:
    # A proxy of the environment is for the world outside.
    outside = urlsplit(settings.notify_url).hostname not in _LOOPBACK
    async with httpx.AsyncClient(timeout=deadline, follow_redirects=False, trust_env=outside) as client:
        return await asyncio.gather(*(_post(client, each, settings, deadline) for each in taken))


async def _post(client: httpx.AsyncClient, leased: Leased, settings: Settings, deadline: float) -> Answered:
    text = json.dumps(leased.notification.body, separators=(",", ":"))
    headers = signed_headers(leased, text, settings.notify_secret)
    try:
        async with (
            asyncio.timeout(deadline),
            # What it says besides its status is not read: that may be of any length.
            client.stream("POST", settings.notify_url, content=text.encode(), headers=headers) as response,
        ):
            return _answered(response)
    except httpx.InvalidURL:
        return Answered(None, "the address in notify_url is no URL")
    except TimeoutError:
        return Answered(None, f"no answer within {deadline:g} s")
    except httpx.HTTPError as error:
        return Answered(None, f"{type(error).__name__}: {error}".removesuffix(": ")[:500])


def signed_headers(leased: Leased, text: str, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of Standard Webhooks: the same id at each try, the time of this one, a signature by each secret."""
    id, now = leased.notification.id, leased.now
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(id, now, text) for secret in secrets),
        "content-type": "application/json",
        "user-agent": f"keystroke/{version('keystroke')}",
    }


def _answered(response: httpx.Response) -> Answered:
    if response.is_success:
        return Answered(response.status_code)
    error = f"answered {response.status_code}"
    if response.has_redirect_location:
        error += "; notifications do not follow redirects"
    wanted = response.headers.get("retry-after", "")
    seconds = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 7 else None
    return Answered(response.status_code, error, None if seconds is None else timedelta(seconds=seconds))
