"""For `celery -A keystroke_beat.app beat`: refused with a sentence, since its options would not count."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from celery.exceptions import ImproperlyConfigured

from keystroke.broker.celery_app import make_app
from keystroke.settings import Settings


class CommandLineBeat:
    """What Celery's command would start."""

    def __init__(self, **_options: Any) -> None:
        """Name the command that works."""
        raise ImproperlyConfigured("Start beat with `keystroke beat`: it has rounds in place of a schedule.")


def _make() -> Celery:
    celery = make_app(Settings.load())
    celery.Beat = CommandLineBeat
    return celery


app: Final = _make()
