"""Who is asking: an API key, or, while there is no key at all, the owner of this machine."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from flask import request

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.operations.api_keys import Principal, authenticate
from keystroke.store import Database, access
from keystroke_api.addresses import is_loopback_address, is_loopback_host
from keystroke_api.refusals import (
    ForeignHost,
    ForeignOrigin,
    KeyMissing,
    KeyRefused,
    LoopbackOnly,
    RoleTooLow,
)

#: Longer ones are no keys of ours.
_LONGEST_KEY: Final = 200


class Role(IntEnum):
    """What a caller may do; each may do what the ones below it may."""

    VIEWER = 1
    RUNNER = 2
    ADMIN = 3


def identify(database: Database) -> Principal:
    """The caller of the current request; a 401 or 403 where there is none."""
    key = _key()
    if key is not None:
        principal = authenticate(database, key) if _could_be_key(key) else None
        if principal is None:
            raise KeyRefused
        return principal
    with database.read() as tx:
        if access.has_api_keys(tx):
            raise KeyMissing
        _require_own_machine()
        return Principal(scope=access.local_scope(tx), role="admin", actor=LOCAL_OWNER, project_id=None)


def require_role(principal: Principal, needed: Role) -> None:
    """Raise RoleTooLow where the caller may not do what needs this role."""
    if Role[principal.role.upper()] < needed:
        raise RoleTooLow(needed=needed.name.lower(), role=principal.role)


def _key() -> str | None:
    authorization = request.headers.get("Authorization")
    if authorization is None:
        return request.headers.get("X-Api-Key")
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _could_be_key(key: str) -> bool:
    return 0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()


def _require_own_machine() -> None:
    """Without keys whoever reaches the server owns it, so it has to be somebody on this machine.

    The Host keeps out pages that rebind their name to this address, the Origin all other pages of the web.
    """
    if not is_loopback_address(request.environ.get("REMOTE_ADDR", "")):
        raise LoopbackOnly
    host = request.environ.get("HTTP_HOST", "")
    if not is_loopback_host(host):
        raise ForeignHost
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{host}":
        raise ForeignOrigin
