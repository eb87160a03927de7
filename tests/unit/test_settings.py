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


def test_what_is_wrong_and_what_is_missing_are_named_together(tmp_path: Path) -> None:
    environ = {
        "KEYSTROKE_DATABASE_URL": "mysql://x/y", "KEYSTROKE_BROKER_URL": "amqp://x", "KEYSTROKE_LISTEN": "nonsense",
        "KEYSTROKE_HEALTH_LISTEN": "0.0.0.0:99999", "KEYSTROKE_PUBLIC_URL": "example.com",
        "KEYSTROKE_TRUSTED_PROXIES": "10.0.0.0/8, proxy",
    }  # fmt: skip
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(environ, tmp_path, require=("database_url", "broker_url", "secret_key"))
    for name in [*environ, "KEYSTROKE_SECRET_KEY is missing"]:
        assert str(caught.value).count(f"- {name}") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://user:password@host/name?sslmode=require"),
        ("DATABASE_URL", "postgresql:///name?host=/run/postgresql"),
        ("DATABASE_URL", "sqlite:////tmp/x.db"),
        ("BROKER_URL", "rediss://:password@host:6379/0"),
        ("BROKER_URL", "redis+socket:///run/valkey.sock"),
        ("LISTEN", "[::1]:3002"),
        ("LISTEN", "0.0.0.0:0"),
        ("HEALTH_LISTEN", ":8080"),
        ("PUBLIC_URL", "https://keystroke.example/base"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,::1,192.168.1.7/24"),
    ],
)
def test_what_is_right_is_taken(tmp_path: Path, name: str, value: str) -> None:
    assert Settings.load({f"KEYSTROKE_{name}": value}, tmp_path)


def test_a_wrong_value_that_may_hold_a_password_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.load({"KEYSTROKE_DATABASE_URL": "mysql://root:hunter2@host/name"}, tmp_path)
    assert "KEYSTROKE_DATABASE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_settings_that_are_no_table_are_named(tmp_path: Path) -> None:
    (tmp_path / "keystroke.toml").write_text("settings = 3\n")
    with pytest.raises(InvalidSettings, match=r"keystroke\.toml: settings"):
        Settings.load({}, tmp_path)


_NOTIFY = {
    "KEYSTROKE_NOTIFY_URL": "https://hooks.example/told?key=hush",
    "KEYSTROKE_NOTIFY_SECRET": "whsec_" + "aHVz" * 8,
}


def test_notifications_need_an_address_and_a_secret(tmp_path: Path) -> None:
    settings = Settings.load(
        {**_NOTIFY, "KEYSTROKE_NOTIFY_SECRET": f"whsec_{'aHVz' * 8}, whsec_{'aHVz' * 9}"}, tmp_path
    )
    assert settings.notify_url == "https://hooks.example/told?key=hush"
    assert len(settings.notify_secret) == 2
    with pytest.raises(InvalidSettings, match="KEYSTROKE_NOTIFY_SECRET is missing"):
        Settings.load({"KEYSTROKE_NOTIFY_URL": _NOTIFY["KEYSTROKE_NOTIFY_URL"]}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYSTROKE_NOTIFY_URL", "http://[hush"), ("KEYSTROKE_NOTIFY_URL", "ftp://hush"),
        ("KEYSTROKE_NOTIFY_URL", "https://"), ("KEYSTROKE_NOTIFY_SECRET", "hush"),
        ("KEYSTROKE_NOTIFY_SECRET", "whsec_aHVzaA=="), ("KEYSTROKE_NOTIFY_SECRET", "whsec_" + "?hush" * 10),
    ],
)  # fmt: skip
def test_what_is_wrong_with_them_is_said_without_repeating_it(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.load({**_NOTIFY, name: value}, tmp_path)
    assert name in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "aHVz" not in str(caught.value)
