"""The port of the local API."""

from __future__ import annotations

import errno
import socket

from keystroke.local.refusals import PortInUse


def free_port(wanted: int) -> int:
    """The port, made sure to be free on loopback; any free one for 0. PortInUse."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
            listener.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise PortInUse(port=wanted) from error
            raise
        port: int = listener.getsockname()[1]
        return port
