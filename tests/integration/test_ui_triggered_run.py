"""The page of a run that a trigger has started: its transform, what the trigger brought, and the ways to where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from support.api import Api, open_api
from support.pages import page, post, token
from support.transformed import MakeTriggered, TriggeredRig

_FLOWS = """
    @workflow("write")
    def write(letter: dict) -> str:
        return letter["to"]

    webhook("leads", "leads", verify=open_endpoint()).attach(
        write, transform=lambda lead: {"to": lead["email"]}
    )
    schedule("nightly", "0 2 * * *", payload={"to": "everybody"}).attach(write)
"""
Shown = tuple[Api, TriggeredRig]


@pytest.fixture
def shown(make_triggered: MakeTriggered) -> Iterator[Shown]:
    """The app on the project above."""
    rig = make_triggered(_FLOWS)
    api = open_api(rig.stage)
    yield api, rig
    api.services.close()


def test_a_run_behind_a_transform_tells_where_its_input_came_from(shown: Shown) -> None:
    api, rig = shown
    delivery = rig.deliver("leads", {})
    run_id = rig.bring("leads", {"email": "ada@example.com"}, id=delivery)
    waiting = page(api, f"/history/{run_id}")
    assert 'id="trigger-heading"' in waiting, "what the input will be made from"
    assert 'id="input-heading"' not in waiting
    rig.attempt()
    text = page(api, f"/history/{run_id}")
    for each in (
        "transform:leads#0",
        "made the input",
        "the trigger&#39;s payload",
        "Transform again and replay",
    ):
        assert each.replace("&#39;", "'") in text
    source = rig.run(run_id).actor.id
    text = page(api, f"/history/{run_id}?tab=metadata")
    for each in (
        f'href="/triggers/{source}"',
        f'href="/deliveries/{delivery}"',
        "leads:write",
        "ada@example.com",
    ):
        assert each in text
    assert page(api, f"/deliveries/{delivery}")
    assert page(api, f"/triggers/{source}")


def test_a_failed_transform_is_executed_again_by_its_button(shown: Shown) -> None:
    api, rig = shown
    run_id = rig.bring("leads", {"name": "Ada"})
    rig.attempt()
    text = page(api, f"/history/{run_id}")
    assert "made no input" in text
    fields = {"csrf": token(text), "from_step": "transform:leads#0"}
    answer = post(api, f"/history/{run_id}/replay", **fields)
    assert answer.status_code == 303
    again = answer.headers["Location"].rpartition("/")[2]
    assert "its transform makes the input again" in page(api, f"/history/{again}")
    form = page(api, f"/history/{run_id}/replay")
    assert "transform:leads#0" not in form, "an edited input takes the place of what it would make"


def test_a_run_of_a_schedule_tells_its_time(shown: Shown) -> None:
    api, rig = shown
    at = datetime(2026, 11, 23, 2, tzinfo=UTC)
    run_id = rig.bring(
        "nightly",
        {"to": "everybody"},
        id="tick_1",
        scheduled_at=at,
        previous_fire=at.replace(day=21),
        missed=1,
    )
    text = page(api, f"/history/{run_id}?tab=metadata")
    source = rig.run(run_id).actor.id
    for each in (
        "Scheduled time",
        "Fired before",
        "1 time in between missed",
        f"/triggers/{source}/ticks/tick_1",
    ):
        assert each in text
