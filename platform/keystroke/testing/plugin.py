"""What pytest loads when this package is installed: the fixture `keystroke`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from keystroke.testing.kit import TestKit


@pytest.fixture
def keystroke() -> Iterator[TestKit]:
    """A test kit of Keystroke's: `keystroke.run(workflow, input)` runs a workflow here, on a database of its own."""
    from keystroke.testing.kit import TestKit

    with TestKit() as kit:
        yield kit
