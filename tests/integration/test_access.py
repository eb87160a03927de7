"""API keys and what they see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from keystroke.errors import ApiKeyNotFound, ProjectNotFound
from keystroke.operations.api_keys import authenticate, create_api_key, list_api_keys, revoke_api_key
from keystroke.store import Database, access
from keystroke.store.sql import Sql
from support.starts import GREET, publish


def test_a_key_is_recognised_until_it_is_revoked(database: Database) -> None:
    publish(database, GREET)
    new = create_api_key(database, "default", "deploys", "runner", None, None)
    principal = authenticate(database, new.key)
    assert principal is not None
    assert (principal.role, principal.actor.name, principal.scope.project_ids) == ("runner", "deploys", None)
    assert authenticate(database, new.key + "x") is None
    [listed] = list_api_keys(database, "default")
    assert listed.last_used_at is not None
    assert revoke_api_key(database, "default", new.prefix) == new.id
    assert authenticate(database, new.key) is None
    with pytest.raises(ApiKeyNotFound):
        revoke_api_key(database, "default", new.id)


def test_a_key_of_a_project_sees_that_project_alone(database: Database) -> None:
    demo, other = publish(database, GREET), publish(database, GREET, project="other")
    principal = authenticate(database, create_api_key(database, "default", "k", "admin", "demo", None).key)
    assert principal is not None
    with database.read() as tx:
        assert access.list_projects(principal.scope, tx) == [demo]
        with pytest.raises(ProjectNotFound):
            access.get_project(principal.scope, tx, other.slug)


def test_an_expired_key_is_unknown(database: Database) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert authenticate(database, create_api_key(database, "default", "k", "admin", None, past).key) is None


def test_the_key_itself_is_nowhere_in_the_database(database: Database) -> None:
    new = create_api_key(database, "default", "k", "admin", None, None)
    with database.read() as tx:
        [row] = tx.rows(Sql("select * from api_keys"))
    assert new.key not in map(str, row)


def test_without_a_key_the_instance_says_so(database: Database) -> None:
    def has_keys() -> bool:
        with database.read() as tx:
            return access.has_api_keys(tx)

    assert not has_keys()
    new = create_api_key(database, "default", "k", "admin", None, None)
    assert has_keys()
    revoke_api_key(database, "default", new.id)
    assert not has_keys()
