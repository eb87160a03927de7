"""A database of an earlier version is brought to this one with what is in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import DBAPIError

from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.errors import SchemaOutdated
from keystroke.store import Database, changes
from keystroke.store.changes import Between
from keystroke.store.migrate import check_revision, upgrade
from keystroke.store.sql import Sql

_SCOPE = Scope("org_1")
_FILLED = (
    "insert into organizations (id, slug, name, created_at) values ('org_1', 'default', 'Default', 1)",
    "insert into projects (id, organization_id, slug, name, created_at) values ('prj_1', 'org_1', 'demo', 'Demo', 1)",
    *(
        f"""insert into runs (id, organization_id, project_id, kind, workflow, workflow_name, queue, priority, status,
            attempt, max_attempts, created_at, queued_at, updated_at, trigger_type, trigger_label, actor_type, actor_id,
            actor_name, root_run_id, seed, trace_id, progress_fraction, progress_at)
        values ('{run}', 'org_1', 'prj_1', 'workflow', 'greet', 'Greet', 'default', 0, '{status}', 1, 1, 10, 10, 50, 'api',
            'API', 'user', 'u', 'U', '{run}', 's', 't', 0.5, {progress})"""
        for run, status, progress in (("run_1", "success", 31), ("run_2", "queued", "null"))
    ),
    *(
        f"""insert into transitions (run_id, at, transition, status, attempt, actor_type, actor_id, actor_name)
        values ('{run}', {at}, '{name}', '{status}', 1, 'user', 'u', 'U')"""
        for run, at, name, status in (
            ("run_1", 10, "create", "queued"), ("run_2", 10, "create", "queued"), ("run_1", 20, "claim", "running"),
            ("run_1", 50, "complete", "success"),
        )
    ),
    """insert into steps (run_id, identity, key, name, kind, status, attempt, digest, started_at, finished_at)
        values ('run_1', 'a#0', 'a', 'A', 'action', 'success', 1, 'd', 20, 40)""",
    # The second line was written later, whatever its clock said; the last came when the run had ended.
    *(
        f"""insert into logs (run_id, at, severity, body, logger, written_at)
        values ('run_1', {at}, 'INFO', '{body}', 'app', 1000)"""
        for at, body in ((35, "one"), (30, "two"), (50, "three"))
    ),
)  # fmt: skip


@pytest.fixture
def filled(empty_database: Database) -> Database:
    """A database of the first schema: a run that has ended, and one that waits."""
    upgrade(empty_database, "0001")
    with empty_database.transaction() as tx:
        for statement in _FILLED:
            tx.run(Sql(statement))
    return empty_database


def test_what_was_there_is_numbered_by_its_time(filled: Database) -> None:
    upgrade(filled)
    check_revision(filled)
    with filled.read() as tx:
        latest = changes.get_latest(_SCOPE, tx, "run_1")
        every = Between(0, latest.event)
        told = {event: line.body for event, _, line in changes.list_lines(
            _SCOPE, tx, "run_1", every, after_line=0, limit=9
        )}  # fmt: skip
        told |= {event: step.identity for event, step in changes.list_step_states(_SCOPE, tx, "run_1", every)}
        told |= {
            event: move.transition for event, move in changes.list_transitions(_SCOPE, tx, "run_1", every)
        }
        waiting = changes.get_latest(_SCOPE, tx, "run_2")
    assert latest.progress_event is not None
    told[latest.progress_event] = "progress"
    assert [told[event] for event in sorted(told)] == [
        "create", "claim", "progress", "one", "two", "a#0", "three", "complete",
    ]  # fmt: skip
    assert (latest.event, latest.status) == (8, Status.SUCCESS)
    assert (waiting.event, waiting.progress) == (1, None)


def test_a_database_of_an_earlier_version_is_refused(filled: Database) -> None:
    with pytest.raises(SchemaOutdated, match="0001"):
        check_revision(filled)


def test_a_migration_that_breaks_off_leaves_nothing_behind(filled: Database) -> None:
    with filled.transaction() as tx:
        tx.run(Sql("alter table logs add column event integer"))
    with pytest.raises(DBAPIError, match="event"):
        upgrade(filled)
    with pytest.raises(SchemaOutdated, match="0001"):
        check_revision(filled)
    with filled.transaction() as tx:
        tx.run(Sql("alter table logs drop column event"))
    upgrade(filled)
    check_revision(filled)


def test_a_database_is_migrated_once_however_often_it_is_asked_for(filled: Database) -> None:
    for _ in range(2):
        upgrade(filled)
    check_revision(filled)
    with filled.read() as tx:
        assert changes.get_latest(_SCOPE, tx, "run_2").event == 1


def test_many_may_migrate_at_once(filled: Database) -> None:
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda _: upgrade(filled), range(4)))
    check_revision(filled)
    with filled.read() as tx:
        assert changes.get_latest(_SCOPE, tx, "run_1").event == 8
