from unittest.mock import Mock

import pytest
from keystroke import Context


@pytest.fixture
def ctx():
    """The context of a run that does not exist."""
    return Mock(spec=Context, run_id="run_test")
