"""The exceptions that an author raises or catches."""

from __future__ import annotations

import asyncio


class Fatal(Exception):
    """Raise it where trying again cannot help: neither the step nor the run is retried."""


class RunCanceled(asyncio.CancelledError):
    """The run is being canceled: clean up and let go.

    It derives from BaseException, so `except Exception` does not swallow it.
    """


class ActionFailed(Exception):
    """A step failed for good, and its own exception could not be rebuilt from the record.

    `type` is the qualified name of that exception, `message` its text, `step` the step's identity (`charge#0`).
    """

    def __init__(self, type: str, message: str, step: str) -> None:
        """Keep what the record says of the failure."""
        super().__init__(type, message, step)
        self.type = type
        self.message = message
        self.step = step

    def __str__(self) -> str:
        """One line for people: `charge#0 failed: PaymentError: card expired`."""
        return f"{self.step} failed: {self.type}: {self.message}"
