"""When everything serves: the API says that it is ready, the worker has registered."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable
from typing import Final

from keystroke.local.data import has_worker
from keystroke.local.supervised import Supervised
from keystroke.store import Database

_PAUSE: Final = 0.05
_TIMEOUT: Final = 2.0


async def wait_until_api_ready(port: int) -> None:
    """Until `/readyz` answers 200; as long as it takes, since whatever delays it is on the screen."""
    await _until(lambda: _is_ready(port))


async def wait_until_worker_registered(database: Database, worker: Supervised) -> None:
    """Until the running worker process is in the database; as long as it takes."""
    await _until(lambda: worker.process_id is not None and has_worker(database, worker.process_id))


async def _until(happened: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(happened):  # noqa: ASYNC110 - what is waited for is in other processes
        await asyncio.sleep(_PAUSE)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
