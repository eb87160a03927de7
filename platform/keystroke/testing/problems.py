"""What a test asks for and cannot have."""

from __future__ import annotations

from keystroke.errors import KeystrokeError


class KitProblem(KeystrokeError, AssertionError):
    """{what}"""

    code = "test-kit"
