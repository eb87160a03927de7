"""Started between `keystroke dev` and each of its programs: makes the kernel end the program when `keystroke dev` dies.

    python -I -S leash.py PARENT SIGNAL COMMAND...

Run as a file, without the keystroke package, so that it costs milliseconds; then it becomes the command (same process id).
The parent-death signal outlives exec, but is not inherited by the program's own children: those are the program's matter.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, make sure that the parent was still there when we did, become the command."""
    parent, ending, command = int(sys.argv[1]), signal.Signals[sys.argv[2]], sys.argv[3:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(ending), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("keystroke dev is gone already")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
