"""Replays from the pages: the buttons, the form with the recorded input, the runs that belong together."""

from __future__ import annotations

import html
import json
import re

import pytest

from keystroke.domain.scope import Scope
from keystroke.store import history
from keystroke_api.ui.refilling import kept_secrets, refilled
from support.api import Api
from support.family import failed_family, waiting_run
from support.pages import page, post, token
from support.replays import replay
from support.showcase import SIGNUP_SCHEMA, Showcase

Show = tuple[Api, Showcase]


def new_run(api: Api, location: str | None) -> str:
    found = re.fullmatch(r"/history/(run_\w{26})", location or "")
    assert found, location
    return found[1]


def identities(api: Api, run_id: str) -> list[str]:
    with api.stage.database.read() as tx:
        return [step.identity for step in history.list_steps(api.stage.scope, tx, run_id)]


def test_a_run_is_replayed_by_a_button(show: Show) -> None:
    api, _ = show
    ids = failed_family(api.stage)
    text = page(api, f"/history/{ids['parent']}")
    assert "Replay from <code>mail#0</code>" in text
    answer = post(api, f"/history/{ids['parent']}/replay", csrf=token(text))
    assert answer.status_code == 303
    run_id = new_run(api, answer.headers["Location"])
    assert identities(api, run_id) == []
    assert f"This is a replay of {ids['parent']}." in page(api, f"/history/{run_id}")
    answer = post(api, f"/history/{ids['parent']}/replay", csrf=token(text), from_step="hook:approval#0")
    assert identities(api, new_run(api, answer.headers["Location"])) == ["research#0", "sleep#0"]


def test_what_cannot_be_replayed_is_said_on_the_runs_page(show: Show) -> None:
    api, showcase = show
    run_id = showcase.queued()
    form = {"csrf": token(page(api, f"/history/{run_id}")), "from_step": "nothing#0"}
    answer = post(api, f"/history/{run_id}/replay", **form)
    assert answer.headers["Location"] == f"/history/{run_id}"
    assert "has no step nothing#0" in page(api, f"/history/{run_id}")
    assert post(api, f"/history/{run_id}/replay", origin="http://evil.example", **form).status_code == 403
    assert api.client.get("/history/run_01jd3v5w0gf8tbm5zbbdb40jyq/replay").status_code == 404
    stale = api.client.get(f"/history/{run_id}/replay?from_step=%3Cb%3Enothing%230")
    assert stale.status_code == 422, "it would not begin where the link says"
    assert "This run has no step &lt;b&gt;nothing#0 on record" in stale.text


def test_the_recorded_input_is_edited_in_the_form(show: Show) -> None:
    api, _ = show
    source = failed_family(api.stage)["parent"]
    text = page(api, f"/history/{source}/replay?from_step=mail%230")
    assert '<option value="mail#0" selected>' in text
    for shown in (
        'value="Grace Hopper"',
        'value="grace@example.com"',
        "It is on record: leave it empty to keep it.",
    ):
        assert shown in text
    assert "navy&#34;" in text
    fields = {
        "input.name": "Ada", "input.email": "ada@example.com", "input.seats": "4", "input.plan": '"free"',
        "input.labels": '["a"]',
    }  # fmt: skip
    form = {"csrf": token(text), "edited": "yes", "from_step": "mail#0", **fields}
    run_id = new_run(api, post(api, f"/history/{source}/replay", **form).headers["Location"])
    recorded = api.stage.run(source).input
    assert api.stage.run(run_id).input == {
        "name": "Ada", "email": "ada@example.com", "seats": 4, "plan": "free", "newsletter": False, "labels": ["a"],
        "password": recorded["password"],
    }  # fmt: skip
    assert identities(api, run_id)[-1] == "run:charge-card#0"


def test_what_does_not_fit_comes_back_with_its_reason(show: Show) -> None:
    api, _ = show
    source = failed_family(api.stage)["parent"]
    form = {"csrf": token(page(api, f"/history/{source}/replay")), "edited": "yes"}
    answer = post(api, f"/history/{source}/replay", **form, **{"input.name": "Ada", "input.email": "nowhere"})
    assert answer.status_code == 422
    assert 'value="Ada"' in answer.text
    assert "is not a valid e-mail address" in html.unescape(answer.text)
    answer = post(api, f"/history/{source}/replay", **form, json="{")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(api.ids(f"trigger=replay:{source}")) == 1


def test_the_recorded_input_is_edited_as_json(show: Show) -> None:
    api, _ = show
    source = failed_family(api.stage)["parent"]
    text = page(api, f"/history/{source}/replay?input=json")
    found = re.search(r'<textarea id="json"[^>]*>(.*?)</textarea>', text, re.DOTALL)
    assert found
    shown = json.loads(html.unescape(found[1]))
    assert shown["password"] == "[redacted]"
    form = {"csrf": token(text), "edited": "yes", "json": json.dumps({**shown, "name": "Ada"})}
    run_id = new_run(api, post(api, f"/history/{source}/replay", **form).headers["Location"])
    assert api.stage.run(run_id).input == {**api.stage.run(source).input, "name": "Ada"}


def test_an_input_that_no_form_can_say_is_edited_as_json(show: Show) -> None:
    api, showcase = show
    text = page(api, f"/history/{showcase.nasty()}/replay")
    assert '<textarea id="json"' in text
    assert "hunter2" not in text
    assert "Fill in a form instead" not in text


def test_whoever_may_not_see_payloads_may_replay_but_not_edit(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, _ = show
    source = failed_family(api.stage)["parent"]
    from keystroke.store import access

    monkeypatch.setattr(
        access, "local_scope", lambda tx: Scope(api.stage.project.organization_id, payloads=False)
    )
    text = page(api, f"/history/{source}")
    assert "Edit and replay" not in text
    assert api.client.get(f"/history/{source}/replay").status_code == 302
    form = {"csrf": token(text)}
    answer = post(api, f"/history/{source}/replay", **form)
    assert api.stage.run(new_run(api, answer.headers["Location"])).input == api.stage.run(source).input
    answer = post(api, f"/history/{source}/replay", **form, edited="yes", json="{}")
    assert answer.headers["Location"] == f"/history/{source}"


@pytest.mark.parametrize("tab", ["overview", "metadata"])
def test_runs_that_belong_together_lead_to_each_other(show: Show, tab: str) -> None:
    api, _ = show
    ids = failed_family(api.stage)
    parent, child, again = (
        page(api, f"/history/{ids[name]}?tab={tab}") for name in ("parent", "child", "replay")
    )
    for each in ("child", "replay"):
        assert f'<a href="/history/{ids[each]}">' in parent
    assert "by <code>run:charge-card#0</code>" in parent
    for text, kind in ((child, "Parent"), (again, "Replay of")):
        assert f'<a href="/history/{ids["parent"]}">' in text
        assert f">{kind}</span>" in text
    assert "Root</span>" not in child


def test_of_many_replays_some_are_listed_with_the_way_to_all(show: Show) -> None:
    api, showcase = show
    source = showcase.greeted()
    for _ in range(6):
        replay(api.stage, source)
    text = page(api, f"/history/{source}")
    assert text.count('class="kin">Replay</span>') == 5
    assert "All 6 replays" in text
    assert page(api, f"/history?trigger=replay:{source}").count("<tr id=") == 6


def test_waits_and_copies_say_what_they_are(show: Show) -> None:
    api, _ = show
    ids = failed_family(api.stage)
    waiting = waiting_run(api.stage)
    text = page(api, f"/history/{waiting}")
    for shown in ("until <time", "waiting for an answer", "not answered", "child run"):
        assert f'class="kind">{shown}' in text
    assert page(api, f"/history/{ids['replay']}").count('class="kind">copied') == 4
    drawn = page(api, f"/history/{waiting}?tab=trace")
    assert drawn.count('class="bar running wait"') == 3
    copied = page(api, f"/history/{ids['replay']}?tab=trace")
    assert copied.count('class="bar ok copied"') == 4
    assert "ms</span><span>" not in copied


def test_a_form_is_filled_only_with_what_it_says_whole() -> None:
    whole = {
        "name": "Ada",
        "email": "a@b.de",
        "seats": 2,
        "plan": "free",
        "newsletter": False,
        "address": {"city": "x"},
    }
    filled = refilled(SIGNUP_SCHEMA, {**whole, "password": "[redacted]"})
    assert filled
    assert (filled["input.name"], filled["input.password"], filled["input.newsletter"]) == ("Ada", "", "")
    assert kept_secrets(SIGNUP_SCHEMA, {**whole, "password": "[redacted]"}) == ["input.password"]
    assert refilled(SIGNUP_SCHEMA, {"name": "Ada", "email": "a@b.de"}) is not None
    for lost in ({"more": 1}, {"name": 5}, {"name": ""}, {"seats": None}, {"address": {"more": 1}}):
        assert refilled(SIGNUP_SCHEMA, {**whole, **lost}) is None, lost
    assert refilled({}, whole) is None
    assert refilled(SIGNUP_SCHEMA, [1]) is None
