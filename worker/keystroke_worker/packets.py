"""The pool's queues as sockets that keep packets apart, in place of pipes with locks.

Billiard's pipe is shared by all children under a lock, which an idle child holds while it waits: kill that child and no
other child ever gets a task again. A packet is read and written in one piece, so there is nothing to lock.
"""

from __future__ import annotations

import select
import socket
import sys
from typing import Any, Final

from billiard.reduction import ForkingPickler

_KIND: Final = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
_LARGEST: Final = 1 << 20


class PacketReader:
    """The end that is read; may be shared by processes, each packet goes to one of them."""

    def __init__(self, end: socket.socket) -> None:
        """Wrap a socket."""
        self._end = end

    def fileno(self) -> int:
        """The descriptor."""
        return self._end.fileno()

    def poll(self, timeout: float | None = None) -> bool:
        """Whether there is something to read within `timeout` seconds (None: wait)."""
        poller = select.poll()
        poller.register(self._end, select.POLLIN)
        return bool(poller.poll(None if timeout is None else timeout * 1000))

    def recv_bytes(self) -> bytes:
        """The next packet; EOFError when all writers are gone."""
        packet = self._end.recv(_LARGEST)
        if not packet:
            raise EOFError
        return packet

    def recv(self) -> Any:
        """The next object."""
        return ForkingPickler.loads(self.recv_bytes())

    def close(self) -> None:
        """Close this process's end."""
        self._end.close()


class PacketWriter:
    """The end that is written; may be shared by processes."""

    def __init__(self, end: socket.socket) -> None:
        """Wrap a socket."""
        self._end = end
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)

    def fileno(self) -> int:
        """The descriptor."""
        return self._end.fileno()

    def send_bytes(self, packet: bytes) -> None:
        """Write one packet; waits while the readers are behind."""
        self._end.send(packet)

    def send(self, value: Any) -> None:
        """Write one object."""
        self.send_bytes(bytes(ForkingPickler.dumps(value)))

    def close(self) -> None:
        """Close this process's end."""
        self._end.close()


class NoLock:
    """Stands where the pool expects a lock; packets need none."""

    def acquire(self, *_arguments: object) -> bool:
        """Nothing to wait for."""
        return True

    def release(self) -> None:
        """Nothing to release."""


class PacketQueue:
    """What billiard's pool asks of a queue, with the names it asks for."""

    def __init__(self) -> None:
        """Make both ends."""
        reader, writer = socket.socketpair(socket.AF_UNIX, _KIND)
        self._reader = PacketReader(reader)
        self._writer = PacketWriter(writer)
        self._rlock = NoLock()

    def get_payload(self) -> bytes:
        """The next packet."""
        return self._reader.recv_bytes()

    def get(self) -> Any:
        """The next object."""
        return self._reader.recv()

    def put(self, value: Any) -> None:
        """Add an object."""
        self._writer.send(value)

    def poll(self, timeout: float) -> tuple[bool, Any]:
        """Whether an object came within `timeout` seconds, and the object."""
        return (True, self.get()) if self._reader.poll(timeout) else (False, None)

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()
