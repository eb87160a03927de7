"""Webhooks: sources that are posted to."""

from __future__ import annotations

from typing import Any

from keystroke.authoring.definition import report_at
from keystroke.authoring.source import Source, caller_place, slug_problems


class Webhook(Source):
    """A source that is posted to; made by `webhook`."""

    kind = "webhook"


def webhook(slug: str, endpoint: str, payload: Any = None, verify: Any = None) -> Webhook:
    """A source that services post to, at `/triggers/{project}/{endpoint}`."""
    place, module = caller_place()
    report_at(place, slug_problems(f"webhook {slug}", slug))
    return Webhook(slug, payload=payload, options={"endpoint": endpoint}, place=place, module=module)
