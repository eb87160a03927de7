"""When everything serves: the API says that it is ready, the worker has registered."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable
from typing import Final, TypeVar

from keystroke.local.data import find_worker
from keystroke.local.supervised import Supervised
from keystroke.store import Database
from keystroke.store.fleet import WorkerRow

T = TypeVar("T")
_PAUSE: Final = 0.05
_TIMEOUT: Final = 2.0


async def wait_until_api_ready(port: int) -> None:
    """Until `/readyz` answers 200; as long as it takes, since whatever delays it is on the screen."""
    await _until(lambda: _is_ready(port))


async def wait_for_registered(database: Database, worker: Supervised, *, other_than: int | None) -> WorkerRow:
    """The worker's row, once a process of it other than the one with this id is registered; as long as it takes."""
    return await _until(lambda: _registered(database, worker.process_id, other_than))


async def _until(look: Callable[[], T | None]) -> T:
    while not (found := await asyncio.to_thread(look)):  # noqa: ASYNC110 - it happens in other processes
        await asyncio.sleep(_PAUSE)
    return found


def _registered(database: Database, process_id: int | None, other_than: int | None) -> WorkerRow | None:
    return None if process_id in (None, other_than) else find_worker(database, int(process_id or 0))


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
