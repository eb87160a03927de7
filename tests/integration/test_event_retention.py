"""What triggers leave behind goes with its age: a little at a time, and never while a run of it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from keystroke.operations.retention import delete_old_events
from keystroke.store.sql import Sql
from support.triggers import Triggers

DAY = 86_400_000_000
_TABLES = (
    "ticks", "deliveries", "delivery_bodies", "delivery_keys", "seen_items", "backfills", "logs",
)  # fmt: skip


def counts(triggers: Triggers) -> dict[str, int]:
    with triggers.stage.database.read() as tx:
        return {table: int(tx.value(Sql(f"select count(*) from {table}"))) for table in _TABLES}


def shown(triggers: Triggers, slug: str) -> set[str]:
    """The ids of its events."""
    return {each["id"] for each in triggers.api.get(f"/triggers/{slug}/runs").json["data"]}


def delete(triggers: Triggers, **options: Any) -> int:
    settings = replace(triggers.stage.settings, event_retention=10 * 86_400.0)
    return delete_old_events(triggers.stage.database, settings, **options)


def test_old_ticks_go_unless_a_run_of_theirs_goes_on(triggers: Triggers) -> None:
    stage = triggers.stage
    over = stage.start_and_claim()
    stage.finish(over)
    active = stage.start().run_id
    of_active, of_ended, of_none = (
        triggers.tick("hourly", hour, run_ids=json.dumps(runs))
        for hour, runs in enumerate(([active], [over.run_id, "run_gone"], []))
    )
    young, polled, under_way = (
        triggers.tick("hourly", 9),
        triggers.tick("inbox", 1),
        triggers.tick("inbox", 2, None),
    )
    triggers.execute(
        "update ticks set finished_at = {now} - :age where id {in:ids} and finished_at is not null",
        age=11 * DAY, ids=[of_active, of_ended, of_none, polled, under_way],
    )  # fmt: skip
    triggers.execute(
        "insert into logs (run_id, event, at, severity, body, logger, written_at) values (:id, 1, 5, 'INFO', '', '', {now})",
        id=polled,
    )
    assert [delete(triggers, limit=2), delete(triggers, limit=2), delete(triggers)] == [2, 1, 0], (
        "a few at a time"
    )
    assert shown(triggers, "hourly") == {of_active, young}
    assert shown(triggers, "inbox") == {under_way}
    assert counts(triggers)["logs"] == 0
    lease = stage.claim()
    assert lease is not None
    stage.finish(lease)  # type: ignore[arg-type]
    assert delete(triggers) == 1


def test_old_deliveries_go_with_their_bodies(triggers: Triggers) -> None:
    active = triggers.stage.start().run_id
    aged = ["dlv_00000000000000000000000000", "dlv_00000000000000000000000001"]
    young = triggers.delivery("signup")
    for delivery, runs in zip(aged, ([active], []), strict=True):
        # Ids tell the time of their making: so old ones have older ids.
        made = triggers.delivery("signup", run_ids=json.dumps(runs))
        change = "update deliveries set id = :aged, received_at = {now} - :age where id = :id"
        triggers.execute(change, aged=delivery, id=made, age=11 * DAY)
        triggers.execute(
            "insert into delivery_bodies (delivery_id, body) values (:id, :body)", id=delivery, body=b"{}"
        )
    assert delete(triggers) == 1
    assert shown(triggers, "signup") == {aged[0], young}
    assert counts(triggers)["delivery_bodies"] == 1


def test_keys_items_and_backfills_go_when_they_need_not_be_known_longer(triggers: Triggers) -> None:
    named = {"project": triggers.stage.project.id, "source": triggers.source("inbox").id}
    for number, days in enumerate((-1, -1, 1)):
        for sql in (
            """insert into delivery_keys (project_id, endpoint, key, delivery_id, expires_at)
                values (:project, 'signup', :key, :source, {now} + :expires)""",
            """insert into seen_items (source_id, key, expires_at) select :source, :key, {now} + :expires
                from projects where id = :project""",
        ):
            triggers.execute(sql, **named, key=f"k{number}", expires=days * DAY)
    times = {"from": "2026-03-02T00:00:00.5Z", "to": "2026-03-02T00:00:01Z"}
    for _ in range(2):
        assert triggers.api.post("/triggers/hourly/backfills", json=times).json["status"] == "completed"
    oldest = "update backfills set finished_at = {now} - :age where id = (select min(id) from backfills)"
    triggers.execute(oldest, age=11 * DAY)
    assert [delete(triggers, limit=1), delete(triggers, limit=1), delete(triggers)] == [3, 2, 0]
    assert counts(triggers) | {"ticks": 0} == {
        "ticks": 0, "deliveries": 0, "delivery_bodies": 0, "delivery_keys": 1, "seen_items": 1, "backfills": 1, "logs": 0,
    }  # fmt: skip
