"""The part of Celery's worker that listens to the broker, for children that claim their work elsewhere."""

from __future__ import annotations

from typing import Any, Final

from celery import bootsteps
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from keystroke.telemetry.outage import Outage

_LISTEN: Final = 2.0
#: While all children are busy no message is taken; whether one has become free is looked at so often (seconds).
_LISTEN_WHEN_FULL: Final = 0.05
_RECONNECT: Final = 1.0


class FleetConsumer(Consumer):  # type: ignore[misc]
    """Takes a message per free child; tries to reach a lost broker every second, for as long as it is away."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As Celery makes it."""
        self._outage = Outage.of_broker()
        super().__init__(*arguments, **options)

    def ensure_connected(self, conn: Any) -> Any:
        """The connection, once the broker answers. (Celery's own pauses grow to half a minute.)"""
        connected = conn.ensure_connection(
            lambda error, _pause: self._outage.failed(error),
            None,
            _RECONNECT,
            0,
            _RECONNECT,
            callback=maybe_shutdown,
        )
        self._outage.answered()
        self.first_connection_attempt = False
        return connected

    def loop(self, _consumer: Any, connection: Any, tasks: Any, blueprint: Any, *_rest: Any) -> None:
        """Listen until told to stop or the connection breaks."""
        tasks.on_message = self.create_task_handler()
        tasks.consume()
        self.on_ready()
        while blueprint.state == bootsteps.RUN and self.connection:
            maybe_shutdown()
            if self.qos.prev != self.qos.value:
                self.qos.update()
            self.perform_pending_operations()
            try:
                # Messages are acknowledged in another thread, which this call does not notice.
                connection.drain_events(
                    timeout=_LISTEN if tasks.channel.qos.can_consume() else _LISTEN_WHEN_FULL
                )
            except TimeoutError:
                continue
