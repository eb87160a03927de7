"""What a database will never take is not taken for a database that is away: whoever waits for that waits for ever."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy.exc import DBAPIError

from keystroke.errors import InvalidInput
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.starts import Stage

_TAG = Sql("insert into run_tags (run_id, project_id, key, value) values ('run_x', 'prj_x', 'key', :value)")


def test_a_row_that_no_index_can_hold_is_a_mistake_and_no_outage(postgresql_database: Database) -> None:
    with pytest.raises(DBAPIError, match="index row"), postgresql_database.transaction() as tx:
        tx.run(_TAG, {"value": secrets.token_hex(100_000)})


@pytest.mark.parametrize(
    "tags", [{"key": "x" * 100_000}, {"k" * 1000: "x"}, {"key": "a\0b"}, {"key": "\ud800"}]
)
def test_tags_that_cannot_be_kept_start_nothing(stage: Stage, tags: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="tag"):
        stage.start(tags=tags)
    assert stage.claim() is None
