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


class HookTimeout(Exception):
    """Nobody answered a hook in time.

    `hook` is its name, `step` the identity of its step (`hook:approval#0`).
    """

    def __init__(self, hook: str, step: str) -> None:
        """Keep which hook it was."""
        super().__init__(hook, step)
        self.hook = hook
        self.step = step

    def __str__(self) -> str:
        """`nobody answered the hook approval in time`."""
        return f"nobody answered the hook {self.hook} in time"


class ChildFailed(Exception):
    """A child run ended without success, or could not be started.

    `run_id` and `workflow` say which, `status` is `failed` or `canceled`, `type` and `message` tell its error. One that was
    `refused` was never started, and has no `run_id`.
    """

    def __init__(self, run_id: str, workflow: str, status: str, type: str, message: str) -> None:
        """Keep what the child's record says."""
        super().__init__(run_id, workflow, status, type, message)
        self.run_id = run_id
        self.workflow = workflow
        self.status = status
        self.type = type
        self.message = message

    def __str__(self) -> str:
        """`charge-card (run_…) failed: PaymentError: card expired`."""
        told = f": {self.type}: {self.message}" if self.type else ""
        if not self.run_id:
            return f"{self.workflow} was not started{told}"
        return f"{self.workflow} ({self.run_id}) {self.status}{told}"
