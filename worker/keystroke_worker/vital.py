"""The main process's own threads are vital: one that dies of a mistake takes the worker down, instead of leaving it half alive.

Its children die with it, its runs are recovered by others, and whoever supervises it starts it again.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from keystroke.telemetry import announce
from keystroke.telemetry.events import ThreadBroken

_PREFIX: Final = "keystroke-"
_BROKEN: Final = 70


def die_with_own_threads() -> None:
    """From now on an uncaught exception in a thread named `keystroke-…` of this process ends the process with 70."""
    main_process = os.getpid()

    def on_exception(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else ""
        # A forked child inherits this, but not the threads; those of user code are its own affair.
        if os.getpid() != main_process or not name.startswith(_PREFIX):
            threading.__excepthook__(args)
            return
        announce(ThreadBroken(thread=name), error=args.exc_value)
        os._exit(_BROKEN)

    threading.excepthook = on_exception
