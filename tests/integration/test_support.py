"""The tests' own ground: what each test gets is fresh, and what it leaves behind is found."""

from __future__ import annotations

import sys

import pytest

from keystroke.store import Database
from keystroke.store.migrate import check_revision
from support.processes import Processes
from support.servers import Valkey


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_has_a_migrated_empty_database(database: Database, time: int) -> None:
    check_revision(database)
    with database.transaction() as tx:
        tx.connection.exec_driver_sql(f"create table left_by_test_{time} (x int)")
    with database.read() as tx, pytest.raises(Exception, match=f"left_by_test_{3 - time}"):
        tx.connection.exec_driver_sql(f"select * from left_by_test_{3 - time}")


def test_the_broker_is_real_and_empty(broker_url: str, valkey_server: Valkey) -> None:
    assert broker_url == valkey_server.url
    with valkey_server.client() as client:
        assert client.keys() == []


def test_a_started_process_is_heard_and_its_orphans_are_found(processes: Processes) -> None:
    code = "import subprocess as s; print('child', s.Popen(['sleep', '600'], start_new_session=True).pid)"
    started = processes.start([sys.executable, "-c", code])
    started.wait_for(r"child (\d+)")
    assert started.wait() == 0
    with pytest.raises(AssertionError, match="sleep 600"):
        processes.assert_none_left(timeout=0.1)
    with pytest.raises(AssertionError, match="sleep 600"):
        processes.close(timeout=0.1)
    processes.assert_none_left()


def test_a_process_that_ends_early_is_not_waited_for(processes: Processes) -> None:
    started = processes.start([sys.executable, "-c", "print('sorry')"])
    with pytest.raises(AssertionError, match="sorry"):
        started.wait_for("ready", timeout=30)
