"""A broken thread of the worker's own ends the worker; one of somebody else does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import threading
from keystroke_worker.vital import die_with_own_threads

def broken():
    raise RuntimeError("a mistake")

die_with_own_threads()
thread = threading.Thread(target=broken, name="{name}")
thread.start()
thread.join()
print("still here")
"""


@pytest.mark.parametrize(
    ("name", "code", "printed"), [("keystroke-losses", 70, ""), ("users-own", 0, "still here\n")]
)
def test_a_broken_thread(name: str, code: int, printed: str) -> None:
    program = [sys.executable, "-c", _PROGRAM.format(name=name)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, printed)
    assert "a mistake" in done.stderr
