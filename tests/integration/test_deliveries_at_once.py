"""Whoever is refused, known again, or forgotten while somebody else looks at the same rows: where several write at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from keystroke.authoring.project import load_project
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.retention import delete_old_events
from keystroke.settings import Settings
from keystroke.store import Database, deliveries, polls, sources
from keystroke.store.access import Project
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.projects import write_project

_PROJECT: Final = """
from keystroke import webhook, workflow
from keystroke.verify import open_endpoint

@workflow("count")
def count(lead: dict) -> int:
    return len(lead)

webhook("second", endpoint="shared", payload=dict, verify=open_endpoint()).attach(count)
"""
_ANOTHER: Final = """
webhook("first", endpoint="shared", payload=dict, verify=open_endpoint()).attach(count)
"""
_DAY: Final = 86_400_000_000
_OUTDATE_KEY: Final = Sql("update delivery_keys set expires_at = {now} - 1")
_OUTDATE_SEEN: Final = Sql("update seen_items set expires_at = {now} - 1")
_KEYS: Final = Sql("select delivery_id from delivery_keys")
_SEEN: Final = Sql("select key from seen_items order by key")


@pytest.fixture
def project(postgresql_database: Database, tmp_path: Path) -> Project:
    """Two webhooks at one endpoint, of which the one that comes first by its slug is the younger one."""
    for name, text in (("a", _PROJECT), ("b", _PROJECT + _ANOTHER)):
        write_project(tmp_path / name, {"triggers/all.py": text})
        published = publish_deployment(postgresql_database, load_project(tmp_path / name).manifest)
    return published.project


def test_a_refused_post_and_a_publication_do_not_wait_in_a_circle(
    postgresql_database: Database, project: Project, second: ThreadPoolExecutor
) -> None:
    """A publication locks the sources of its project in the order of their slugs."""
    database = postgresql_database
    with database.read() as tx:
        first, other = sources.of_endpoint(tx, project.id, "shared")
    assert first.id > other.id

    def refuse() -> None:
        with database.transaction() as tx:
            deliveries.count_refused(tx, [first.id, other.id])

    with database.transaction() as tx:
        sources.lock_source(tx, first.id)
        refused = blocked(database, second, refuse)
        sources.lock_source(tx, other.id)
    refused.result(10)
    with database.read() as tx:
        assert [each.refused for each in sources.of_endpoint(tx, project.id, "shared")] == [1, 1]


def test_a_key_that_is_taken_anew_is_not_deleted_as_an_old_one(
    postgresql_database: Database, postgresql_settings: Settings, project: Project, second: ThreadPoolExecutor
) -> None:
    database, key = postgresql_database, "event-1"
    with database.transaction() as tx:
        deliveries.take_key(tx, project.id, "shared", key, "dlv_1", _DAY)
        tx.run(_OUTDATE_KEY)
    with database.transaction() as tx:
        assert deliveries.take_key(tx, project.id, "shared", key, "dlv_2", _DAY) is None
        deleted = second.submit(delete_old_events, database, postgresql_settings)
        deleted.result(10)
    with database.read() as tx:
        assert [row.delivery_id for row in tx.rows(_KEYS)] == ["dlv_2"]


def test_an_item_that_comes_again_is_not_forgotten_as_an_old_one(
    postgresql_database: Database, postgresql_settings: Settings, project: Project, second: ThreadPoolExecutor
) -> None:
    database = postgresql_database
    with database.transaction() as tx:
        source = sources.of_endpoint(tx, project.id, "shared")[0]
        polls.remember(tx, source.id, ["a", "b"], _DAY)
        tx.run(_OUTDATE_SEEN)
    with database.transaction() as tx:
        polls.remember(tx, source.id, ["b"], _DAY)
        second.submit(delete_old_events, database, postgresql_settings).result(10)
    with database.read() as tx:
        assert [row.key for row in tx.rows(_SEEN)] == ["b"]
