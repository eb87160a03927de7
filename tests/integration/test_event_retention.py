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


def delete(triggers: Triggers, **options: Any) -> int:
    settings = replace(triggers.stage.settings, event_retention=10 * 86_400.0)
    return delete_old_events(triggers.stage.database, settings, **options)


def test_what_is_old_enough_goes_with_all_that_belongs_to_it(triggers: Triggers) -> None:
    old = [triggers.tick("hourly", hour) for hour in range(3)] + [triggers.tick("inbox", 1)]
    kept = [triggers.tick("hourly", 9), triggers.tick("inbox", 2, None)]
    deliveries = [triggers.delivery("signup") for _ in range(3)]
    stage = triggers.stage
    over = stage.start_and_claim()
    stage.finish(over)
    active = stage.start().run_id
    for sql, params in (
        ("update ticks set finished_at = {now} - :age where id {in:ids} and finished_at is not null", {"ids": [*old, kept[1]]}),
        ("update ticks set run_ids = :runs where id = :id", {"id": old[0], "runs": json.dumps([active])}),
        ("update ticks set run_ids = :runs where id = :id", {"id": old[1], "runs": json.dumps([over.run_id, "run_gone"])}),
        ("update deliveries set received_at = {now} - :age where id {in:ids}", {"ids": deliveries[:2]}),
        ("update deliveries set run_ids = :runs where id = :id", {"id": deliveries[0], "runs": json.dumps([active])}),
        ("insert into logs (run_id, event, at, severity, body, logger, written_at) values (:id, 1, 5, 'INFO', '', '', {now})",
         {"id": old[3]}),
    ):  # fmt: skip
        triggers.execute(sql, age=11 * DAY, **params)
    # Ids tell the time of their making: so old ones have older ids.
    for number, delivery in enumerate(deliveries[:2]):
        aged = f"dlv_0000000000000000000000000{number}"
        triggers.execute("update deliveries set id = :aged where id = :id", aged=aged, id=delivery)
        triggers.execute(
            "insert into delivery_bodies (delivery_id, body) values (:id, :body)", id=aged, body=b"{}"
        )
    for number, expires in enumerate((-1, -1, 1)):
        named = {"key": f"k{number}", "expires": expires * DAY, "project": stage.project.id}
        triggers.execute(
            "insert into delivery_keys (project_id, endpoint, key, delivery_id, expires_at) "
            "values (:project, 'signup', :key, 'dlv_x', {now} + :expires)", **named,
        )  # fmt: skip
        triggers.execute(
            "insert into seen_items (source_id, key, expires_at) values (:source, :key, {now} + :expires)",
            source=triggers.source("inbox").id, key=named["key"], expires=named["expires"],
        )  # fmt: skip
    begin = {"from": "2026-03-02T00:00:00.5Z", "to": "2026-03-02T00:00:01Z"}
    for _ in range(2):
        made = triggers.api.post("/triggers/hourly/backfills", json=begin)
        assert made.json["status"] == "completed"
    triggers.execute(
        "update backfills set finished_at = {now} - :age where id = (select min(id) from backfills)",
        age=11 * DAY,
    )
    assert delete(triggers, limit=1) == 5, "one of each"
    while delete(triggers, limit=1):
        pass
    assert counts(triggers) == {
        "ticks": 3, "deliveries": 2, "delivery_bodies": 1, "delivery_keys": 1, "seen_items": 1, "backfills": 1, "logs": 0,
    }  # fmt: skip
    left = {each["id"] for each in triggers.api.get("/triggers/hourly/runs").json["data"]}
    assert left == {old[0], kept[0]}, "one has a run that goes on"
    lease = stage.claim()
    assert lease is not None
    stage.finish(lease)  # type: ignore[arg-type]
    assert delete(triggers) == 2
