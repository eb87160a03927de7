"""Settings: environment over file, and everything wrong named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from keystroke.errors import InvalidSettings
from keystroke.settings import Settings


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "keystroke.toml").write_text(
        'organization = "acme"\nproject = "shop"\n[settings]\nheartbeat = 2\nqueues = ["a", "b"]\n'
    )
    settings = Settings.load({"KEYSTROKE_HEARTBEAT": "3", "KEYSTROKE_SECRET_KEY": "new, old"}, tmp_path)
    assert (settings.organization, settings.project, settings.heartbeat) == ("acme", "shop", 3.0)
    assert settings.queues == ("a", "b")
    assert settings.secret_key == ("new", "old")


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "keystroke.toml").write_text("[settings]\nheartbeet = 2\n")
    environ = {"KEYSTROKE_CONCURRENCY": "0", "KEYSTROKE_LOG_LEVEL": "loud", "KEYSTROKE_DEAD_AFTER": "soon"}
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(environ, tmp_path)
    message = str(caught.value)
    for part in ("KEYSTROKE_CONCURRENCY", "KEYSTROKE_LOG_LEVEL", "KEYSTROKE_DEAD_AFTER", "heartbeet"):
        assert part in message


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "keystroke.toml").write_text("organization = ")
    with pytest.raises(InvalidSettings, match=r"keystroke\.toml"):
        Settings.load({}, tmp_path)


def test_what_a_component_needs_is_asked_for_by_name() -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings().require("database_url", "broker_url")
    assert "KEYSTROKE_DATABASE_URL" in str(caught.value)
    assert "KEYSTROKE_BROKER_URL" in str(caught.value)
