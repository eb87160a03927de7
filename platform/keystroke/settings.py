"""The configuration: environment variables over `keystroke.toml`; everything wrong with it is named at once.

A setting `database_url` is `KEYSTROKE_DATABASE_URL` in the environment and `database_url` under `[settings]` in the file.
Plain dataclass and parsing, since `keystroke --help` must not wait for a settings framework to be imported.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from keystroke.errors import InvalidSettings

PREFIX = "KEYSTROKE_"
PROJECT_FILE = "keystroke.toml"
REDACTED_KEYS = (
    "password", "passwd", "token", "secret", "authorization", "api_key", "apikey", "x-api-key", "access_token",
    "refresh_token", "client_secret", "private_key", "cookie", "set-cookie",
)  # fmt: skip


#: What may hold a password: never repeated where it is wrong.
_PRIVATE = frozenset({"database_url", "broker_url", "secret_key", "notify_url", "notify_secret"})


def _setting(default: Any, parse: Callable[[str], Any], doc: str) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc})


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e9:
        raise ValueError("must be a positive number of seconds")
    return number


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return parse


def _beginning_with(*beginnings: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text.startswith(beginnings):
            raise ValueError(f"must begin with {' or '.join(beginnings)}")
        return text

    return parse


def _web_address(text: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("https", "http") or not parts.hostname or not text.isprintable():
        raise ValueError("must be the address of a page: https://…")
    return text


def _signing_keys(text: str) -> tuple[str, ...]:
    """Secrets of Standard Webhooks: `whsec_` and the base 64 of 24 to 64 bytes."""
    import base64

    words = _words(text)
    for word in words:
        key = word.removeprefix("whsec_")
        try:
            decoded = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
        except ValueError:
            decoded = b""
        if key == word or not 24 <= len(decoded) <= 64:
            raise ValueError("must be whsec_ and the base 64 of 24 to 64 bytes")
    return words


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535 or "/" in host:
        raise ValueError("must be host:port")
    return text


def _networks(text: str) -> tuple[str, ...]:
    from ipaddress import ip_network

    words = _words(text)
    for word in words:
        ip_network(word, strict=False)
    return words


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured. Times are seconds, sizes bytes."""

    database_url: str = _setting(
        "", _beginning_with("sqlite:///", "postgresql://"),
        "sqlite:////path/to.db or postgresql://user:password@host/name",
    )  # fmt: skip
    broker_url: str = _setting(
        "", _beginning_with("redis://", "rediss://", "redis+socket://"),
        "redis://host:6379/0, rediss://…, or redis+socket:///path",
    )  # fmt: skip
    key_prefix: str = _setting("keystroke", str, "prefix of every key in Redis")
    secret_key: tuple[str, ...] = _setting(
        (), _words, "encrypts secrets; several, comma separated: the first is current"
    )
    organization: str = _setting("default", str, "slug of the organization that projects are published to")
    project: str = _setting("", str, "slug of the default project")
    public_url: str = _setting("", _beginning_with("https://", "http://"), "base of links that are sent out")
    listen: str = _setting("127.0.0.1:3002", _address, "host:port of the API")
    api_threads: int = _setting(32, _positive, "threads of an API process")
    api_processes: int = _setting(1, _positive, "processes of the API")
    streams: int = _setting(100, _positive, "event streams and waits of an API process")
    tool_wait: float = _setting(25.0, _seconds, "that a tool call waits for the end of its run")
    trusted_proxies: tuple[str, ...] = _setting((), _networks, "addresses whose X-Forwarded-* counts")
    payload_limit: int = _setting(1_048_576, _positive, "largest payload")
    webhook_limit: int = _setting(1_048_576, _positive, "largest body that is posted to a webhook")
    redact: tuple[str, ...] = _setting(REDACTED_KEYS, _words, "keys whose values are never displayed")
    queues: tuple[str, ...] = _setting(("default",), _words, "queues that a worker serves")
    concurrency: int = _setting(2, _positive, "runs that a worker executes at once")
    child_memory: int = _setting(512, _positive, "MiB after which a worker's child is replaced")
    heartbeat: float = _setting(5.0, _seconds, "between heartbeats of a worker")
    dead_after: float = _setting(30.0, _seconds, "without heartbeat until a worker is dead")
    cancel_grace: float = _setting(10.0, _seconds, "for clean-up after a cancel or a timeout")
    drain_grace: float = _setting(25.0, _seconds, "for running attempts after SIGTERM")
    recovery_budget: int = _setting(5, _positive, "attempts of a run that may be lost with their worker")
    retention: float = _setting(30 * 86_400.0, _seconds, "that a finished run is kept")
    event_retention: float = _setting(
        30 * 86_400.0, _seconds, "that deliveries, ticks and ended backfills are kept"
    )
    trace_cap: int = _setting(10_000, _positive, "spans and log lines kept of a run, each")
    notify_url: str = _setting("", _web_address, "where notifications are posted to")
    notify_secret: tuple[str, ...] = _setting(
        (), _signing_keys, "whsec_…, signs notifications; several, comma separated: each signs"
    )
    sqlite_synchronous: str = _setting(
        "FULL", _one_of("FULL", "NORMAL"), "NORMAL survives kill -9, not a power cut"
    )
    clock_offset: float = _setting(0.0, float, "added to the database's clock; for tests")
    health_listen: str = _setting("", _address, "host:port where worker and beat answer /healthz and /readyz")
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "of the platform's own log"
    )
    log_format: str = _setting(
        "auto", _one_of("auto", "console", "json"), "auto: console on a terminal, JSON elsewhere"
    )

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
        *,
        require: Sequence[str] = (),
    ) -> Settings:
        """Read environment and the project's file; InvalidSettings names all that is wrong or, of `require`, missing."""
        environ = os.environ if environ is None else environ
        file_values, problems = _read_file((directory or Path.cwd()) / PROJECT_FILE)
        values: dict[str, Any] = {}
        for setting in fields(cls):
            variable = PREFIX + setting.name.upper()
            in_file = file_values.pop(setting.name, None)
            raw = environ.get(variable) or in_file
            if raw in (None, ""):
                problems += _missing(setting) if setting.name in require else []
                continue
            try:
                values[setting.name] = setting.metadata["parse"](_as_text(raw))
            except ValueError as error:
                shown = "" if setting.name in _PRIVATE else f"{raw!r}: "
                problems.append(f"{variable}: {shown}{error}")
        if values.get("notify_url") and not values.get("notify_secret"):
            problems += _missing(cls.__dataclass_fields__["notify_secret"])
        problems += [f"{PROJECT_FILE}: unknown setting {name!r}" for name in file_values]
        _refuse(problems)
        return cls(**values)

    def require(self, *names: str) -> Settings:
        """These settings, or InvalidSettings naming each of `names` that is missing."""
        unset = [
            setting for setting in fields(self) if setting.name in names and not getattr(self, setting.name)
        ]
        _refuse([line for setting in unset for line in _missing(setting)])
        return self


def _missing(setting: Field[Any]) -> list[str]:
    return [f"{PREFIX}{setting.name.upper()} is missing: {setting.metadata['doc']}"]


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise InvalidSettings(problems="\n".join(f"- {problem}" for problem in problems))


def _as_text(raw: Any) -> str:
    return ",".join(map(str, raw)) if isinstance(raw, list) else str(raw)


def _read_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    if not path.is_file():
        return {}, []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        return {}, [f"{path.name}: {error}"]
    settings = data.get("settings", {})
    if not isinstance(settings, dict):
        return {}, [f"{path.name}: settings must be a table: [settings]"]
    values = dict(settings)
    for name in ("organization", "project"):
        if name in data:
            values.setdefault(name, data[name])
    return values, []
