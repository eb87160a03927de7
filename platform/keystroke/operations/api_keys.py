"""API keys: made, listed, revoked, recognised. A key is shown once; kept are its SHA-256 and a visible prefix."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from keystroke import ids
from keystroke.clock import from_micros, to_micros
from keystroke.domain.actor import SYSTEM, Actor
from keystroke.domain.scope import Scope
from keystroke.errors import ApiKeyNotFound
from keystroke.store import Database, Tx, access

Role = Literal["viewer", "runner", "admin"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "runner", "admin")
_PREFIX_LENGTH: Final = 11


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key as it is shown, this once."""

    id: str
    key: str
    prefix: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed; `project` is a slug, None for all projects of its organization."""

    id: str
    name: str
    prefix: str
    role: Role
    project: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a key stands for: what it sees, what it may do, under which name it acts."""

    scope: Scope
    role: Role
    actor: Actor
    project_id: str | None


def create_api_key(
    database: Database,
    organization: str,
    name: str,
    role: Role,
    project: str | None,
    expires_at: datetime | None,
) -> NewApiKey:
    """Make a key. 256 random bits, so a plain hash is enough. Raises ProjectNotFound."""
    key = f"ks_{secrets.token_urlsafe(32)}"
    new = NewApiKey(ids.new("key"), key, key[:_PREFIX_LENGTH])
    with database.transaction() as tx:
        access.ensure_organization(tx, organization)
        scope = _scope(tx, organization)
        project_id = access.get_project(scope, tx, project).id if project else None
        access.insert_key(
            tx,
            {
                "id": new.id, "organization_id": scope.organization_id, "project_id": project_id, "name": name,
                "prefix": new.prefix, "hash": _hash(key), "role": role, "expires_at": to_micros(expires_at),
            },
        )  # fmt: skip
        access.audit(tx, scope.organization_id, SYSTEM, "api_key.create", new.id, name)
    return new


def list_api_keys(database: Database, organization: str) -> list[ApiKey]:
    """All keys of an organization, revoked ones too, oldest first."""
    with database.read() as tx:
        rows = access.list_keys(_scope(tx, organization), tx)
    return [
        ApiKey(
            row.id, row.name, row.prefix, row.role, row.project, from_micros(row.created_at), from_micros(row.expires_at),
            from_micros(row.last_used_at), from_micros(row.revoked_at),
        )
        for row in rows
    ]  # fmt: skip


def revoke_api_key(database: Database, organization: str, key: str) -> str:
    """Revoke the key with this id or visible prefix, at once; its id. Raises ApiKeyNotFound."""
    with database.transaction() as tx:
        scope = _scope(tx, organization)
        revoked = access.revoke_key(tx, scope.organization_id, key)
        if revoked is None:
            raise ApiKeyNotFound(key=key)
        access.audit(tx, scope.organization_id, SYSTEM, "api_key.revoke", revoked)
    return revoked


def authenticate(database: Database, key: str) -> Principal | None:
    """Whom the key stands for; None for one that is unknown, revoked or expired.

    The look-up goes by the key's hash, so comparing takes no time that depends on the key.
    """
    with database.read() as tx:
        row = access.key_by_hash(tx, _hash(key))
    if row is None:
        return None
    if row.stale:
        with database.transaction() as tx:
            access.touch_key(tx, row.id)
    projects = (row.project_id,) if row.project_id else None
    return Principal(
        Scope(row.organization_id, projects), row.role, Actor("api_key", row.id, row.name), row.project_id
    )


def _scope(tx: Tx, organization: str) -> Scope:
    return Scope(access.organization_id(tx, organization) or "org_none")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
