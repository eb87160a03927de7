"""What the routes stand on: one of each per process, made with the app and closed with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

from flask import Flask, current_app

from keystroke.box import Box
from keystroke.broker.changes import ChangeListener
from keystroke.broker.control import Control
from keystroke.broker.health import BrokerHealth
from keystroke.broker.wakeups import Wakeups
from keystroke.operations.read_secrets import Secrets
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke_api.waits import Waits

_EXTENSION: Final = "keystroke"


@dataclass(frozen=True, slots=True)
class Services:
    """The settings, the database, the box for secrets, the ways to workers, the waits of this process, what verifies."""

    settings: Settings
    database: Database
    box: Box
    wakeups: Wakeups
    control: Control
    broker: BrokerHealth
    waits: Waits
    secrets: Secrets
    #: What else ends with the process: made on first use, so added then; called once the waits are over.
    ends: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def from_settings(cls, settings: Settings) -> Services:
        """Make all of them; InvalidSettings names what is missing. Nothing is connected yet."""
        settings.require("database_url", "broker_url", "secret_key")
        # The pool lends as many connections again when it is busy: together one for each thread.
        database = Database.from_settings(settings, pool_size=settings.api_threads // 2 + 1)
        box = Box(settings.secret_key)
        return cls(
            settings, database, box, Wakeups(settings), Control(settings), BrokerHealth(settings),
            Waits(database, settings.streams, lambda on_change: ChangeListener(settings, on_change)),
            Secrets(database, box),
        )  # fmt: skip

    def close(self) -> None:
        """End the waits and let go of everything."""
        self.waits.finish()
        for end in self.ends:
            end()
        self.wakeups.close()
        self.control.close()
        self.broker.close()
        self.database.close()


def install_services(app: Flask, services: Services) -> None:
    """Give the app its services."""
    app.extensions[_EXTENSION] = services


def services_of(app: Flask) -> Services:
    """The services of an app."""
    return cast("Services", app.extensions[_EXTENSION])


def services() -> Services:
    """The services of the app that serves the current request."""
    return services_of(current_app)
