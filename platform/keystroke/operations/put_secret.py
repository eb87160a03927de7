"""Set a secret, or put a new value in the place of another: for a while both are good, so that a sender can be told meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from keystroke.box import Box
from keystroke.domain.actor import Actor
from keystroke.errors import InvalidInput, PathError, SecretUnreadable
from keystroke.store import Database, access, secrets
from keystroke.store.access import Project
from keystroke.store.secrets import Secret
from keystroke.verify.reference import SECRET_NAME

#: How long the value before stays good, unless it is said otherwise.
GRACE: Final = timedelta(days=1)
LONGEST_GRACE: Final = timedelta(days=90)
LONGEST_VALUE: Final = 10_000
_MICROSECOND: Final = timedelta(microseconds=1)


def put_secret(
    database: Database,
    actor: Actor,
    project: Project,
    name: str,
    value: str,
    box: Box,
    grace: timedelta = GRACE,
) -> Secret:
    """Keep the value, encrypted; the one before it is good until the grace ends, with none no longer than now.

    The same value again changes nothing, but without a grace it ends the one before. Raises InvalidInput, which never tells
    the value.
    """
    _check(name, value, grace)
    with database.transaction() as tx:
        if _is_current(secrets.lock_token(tx, project.id, name), value, box):
            if not grace:
                secrets.end_previous(tx, project.id, name)
        else:
            token = box.encrypt(value)
            secrets.put_secret(tx, project.id, name, token, grace // _MICROSECOND, actor.name)
        access.audit(tx, project.organization_id, actor, "secret.set", f"{project.slug}/{name}")
        return secrets.secret_of(tx, project.id, name)


def _check(name: str, value: str, grace: timedelta) -> None:
    problems = []
    if not SECRET_NAME.match(name):
        problems.append(PathError("$.name", "must be letters, digits, _ and -, up to 100, not a digit first"))
    if not value or len(value) > LONGEST_VALUE or value != value.strip() or not value.isprintable():
        problems.append(
            PathError(
                "$.value", f"must be printable text of 1 to {LONGEST_VALUE} characters, no blanks around it"
            )
        )
    if not timedelta() <= grace <= LONGEST_GRACE:
        problems.append(
            PathError("$.grace", f"must be from 0 to {LONGEST_GRACE // timedelta(seconds=1)} seconds")
        )
    if problems:
        raise InvalidInput(what="a secret", errors=problems)


def _is_current(token: str | None, value: str, box: Box) -> bool:
    if token is None:
        return False
    try:
        return box.decrypt(token) == value
    except SecretUnreadable:
        return False  # it is good for nobody here, and a new value mends that
