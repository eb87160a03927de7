"""Triggers as pages: the list, one of them with its events, and the buttons that steer it."""

from __future__ import annotations

import json
import re

import pytest
from werkzeug.test import TestResponse

from keystroke.domain.source import UNTIL_RESUMED
from keystroke.store import schedules
from support.pages import HTML, page, post, token
from support.triggers import Triggers


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the webhook verifies with; without it, it is unhealthy."""
    monkeypatch.setenv("SIGNUP_SECRET", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")


def _url(triggers: Triggers, slug: str) -> str:
    return f"/triggers/{triggers.source(slug).id}"


def test_the_list_shows_each_kind_with_how_it_fires(triggers: Triggers) -> None:
    triggers.delivery("signup")
    triggers.tick("hourly", 1_000_000, "missed")
    text = page(triggers.api, "/triggers")
    for shown in (
        "Webhooks", "POST /triggers/demo/signup", "Fired", "Schedules", "0 * * * * Europe/Paris", "Missed", "Polls",
        "every 5 min", "Never fired", "Active",
    ):  # fmt: skip
        assert shown in text
    assert page(triggers.api, "/history").count('href="/triggers"') == 1, "it is part of the navigation"


def test_a_site_without_triggers_says_how_to_write_one(api_without_triggers: Triggers) -> None:
    assert ".attach(report)" in page(api_without_triggers.api, "/triggers")


def test_the_page_of_a_webhook_says_where_to_post_and_how_to_sign(triggers: Triggers) -> None:
    text = page(triggers.api, _url(triggers, "signup"))
    assert "http://localhost/triggers/demo/signup" in text
    assert "<code>webhook-signature: v1," in text
    assert "Active" in text
    assert "behind a transform" in text


def test_the_page_of_a_schedule_foretells_its_times(triggers: Triggers) -> None:
    text = page(triggers.api, _url(triggers, "hourly"))
    assert text.count("data-exact") >= 10
    assert ":00:00 CE" in text, "in its zone"


def test_events_are_filtered_by_outcome(triggers: Triggers) -> None:
    fired, missed = triggers.tick("hourly", 1_000_000), triggers.tick("hourly", 2_000_000, "missed")
    url = _url(triggers, "hourly")
    text = page(triggers.api, f"{url}?outcome=missed")
    assert missed in text
    assert fired not in text
    assert page(triggers.api, f"{url}?cursor=nonsense", 422)


@pytest.mark.parametrize("slug", ["signup", "hourly", "inbox"])
def test_the_buttons_steer(triggers: Triggers, slug: str) -> None:
    url = _url(triggers, slug)

    def press(**pressed: str) -> str:
        answer = post(triggers.api, f"{url}/set", csrf=token(page(triggers.api, url)), **pressed)
        assert answer.status_code == 303
        return page(triggers.api, url)

    assert "Paused" in press(pause="1h")
    assert triggers.source(slug).paused
    assert "Active" in press(do="resume")
    assert "Disabled" in press(do="disable")
    assert triggers.source(slug).disabled_at is not None
    assert "Active" in press(do="enable")
    assert "Switched off" in press(do="switch-off", workflow="greet")
    assert not triggers.source(slug).attachments[0].active
    press(do="switch-on", workflow="greet")
    assert triggers.source(slug).attachments[0].active


@pytest.mark.parametrize(
    "pressed", [{"do": "explode"}, {"pause": "soon"}, {"do": "switch-off", "workflow": "nope"}]
)
def test_what_no_button_says_changes_nothing(triggers: Triggers, pressed: dict[str, str]) -> None:
    url = _url(triggers, "signup")
    answer = post(triggers.api, f"{url}/set", csrf=token(page(triggers.api, url)), **pressed)
    assert 400 <= answer.status_code < 500
    assert triggers.source("signup").active


def test_steering_needs_the_role_admin(triggers: Triggers) -> None:
    url = _url(triggers, "signup")
    viewer, runner = triggers.api.key("viewer"), triggers.api.key("runner")
    assert "Disable" not in page(triggers.api, url, **viewer)
    assert "Fire now" not in page(triggers.api, url, **viewer)
    text = page(triggers.api, url, **runner)
    assert "Disable" not in text
    assert "Fire now" in text
    assert triggers.api.client.post(f"{url}/set", headers={**HTML, **viewer}).status_code == 403


@pytest.fixture
def api_without_triggers(triggers: Triggers) -> Triggers:
    """The same with all of them gone from the code."""
    triggers.publish(digest="none")
    return triggers


def test_firing_by_hand_leads_to_what_came_of_it(triggers: Triggers) -> None:
    for slug, fields, shown in (
        ("signup", {"input.name": "Ada"}, "Delivery to signup"),
        ("hourly", {"json": '{"name": "Bob"}'}, "Tick of"),
    ):
        url = _url(triggers, slug)
        answer = post(triggers.api, f"{url}/fire", csrf=token(page(triggers.api, url)), how="fire", **fields)
        assert answer.status_code == 303, answer.text
        text = page(triggers.api, answer.headers["Location"])
        assert shown in text
        assert "Fired" in text
        run_id = re.findall(r"run_[0-9a-z]{26}", text)[0]
        assert triggers.stage.run(run_id).trigger.value.startswith(f"{slug}:")


def test_a_payload_that_does_not_fit_comes_back_with_the_reason(triggers: Triggers) -> None:
    url = _url(triggers, "signup")
    csrf = token(page(triggers.api, url))
    answer = post(triggers.api, f"{url}/fire", csrf=csrf, how="fire", **{"input.email": "nowhere"})
    assert answer.status_code == 422
    assert "This is needed." in answer.text
    assert 'value="nowhere"' in answer.text
    answer = post(triggers.api, f"{url}/fire", csrf=csrf, how="fire", json="{")
    assert "not JSON" in answer.text
    assert triggers.source("signup").last_at is None


def test_a_dry_run_tells_what_would_start_and_starts_nothing(triggers: Triggers) -> None:
    url = _url(triggers, "signup")
    answer = post(
        triggers.api,
        f"{url}/fire",
        csrf=token(page(triggers.api, url)),
        how="dry-run",
        **{"input.name": "Ada"},
    )
    assert answer.status_code == 200
    assert "It would start:" in answer.text
    assert "made by the transform" in answer.text
    assert "run_" not in page(triggers.api, "/history").partition("<tbody>")[2]


def test_deliveries_are_listed_and_shown_with_what_was_wrong(triggers: Triggers) -> None:
    wrong = {
        "code": "invalid-payload",
        "detail": "It does not fit.",
        "errors": [{"path": "$.name", "message": "is missing"}],
    }
    rejected, fired = triggers.delivery("signup", outcome="rejected"), triggers.delivery("signup")
    triggers.execute(
        "update deliveries set error = :error where id = :id", error=json.dumps(wrong), id=rejected
    )
    text = page(triggers.api, "/deliveries")
    assert text.index(fired) < text.index(rejected), "newest first"
    assert "$.name: is missing" in text
    assert fired not in page(triggers.api, "/deliveries?outcome=rejected")
    assert "It does not fit." in page(triggers.api, f"/deliveries/{rejected}")
    assert page(triggers.api, "/deliveries/dlv_nope", 404)


def test_a_tick_shows_its_error_and_what_it_said(triggers: Triggers) -> None:
    error = {"type": "ValueError", "message": "no <b>inbox</b>", "stack": []}
    tick = triggers.tick("inbox", 1_000_000, "error", error=json.dumps(error))
    text = page(triggers.api, f"{_url(triggers, 'inbox')}/ticks/{tick}")
    assert "ValueError" in text
    assert "no &lt;b&gt;inbox" in text
    assert "It said nothing." in text
    assert page(triggers.api, f"{_url(triggers, 'hourly')}/ticks/{tick}", 404)


def test_a_backfill_is_tried_started_and_stopped(triggers: Triggers) -> None:
    url = _url(triggers, "hourly")

    def send(how: str, **fields: str) -> TestResponse:
        return post(triggers.api, f"{url}/backfill", csrf=token(page(triggers.api, url)), how=how, **fields)

    week = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
    answer = send("dry-run", **week)
    assert "It would fire for 24 times." in answer.text
    assert 'value="2026-11-01T00:00:00Z"' in answer.text
    assert send("start", **week).status_code == 303
    text = page(triggers.api, url)
    assert "0 of 24 times" in text
    stop = re.findall(r'action="([^"]+/cancel)"', text)[0]
    assert post(triggers.api, stop, csrf=token(text), do="cancel").status_code == 303
    assert "Stopped after 0 of 24 times" in page(triggers.api, url)
    wrong = send("start", **{"from": "yesterday", "to": "2999-01-01T00:00:00Z"})
    assert wrong.status_code == 422
    assert "from is not an RFC 3339 time" in wrong.text


def test_the_state_of_a_poll_is_edited_in_place_of_the_one_that_was_shown(triggers: Triggers) -> None:
    url = _url(triggers, "inbox")
    text = page(triggers.api, url)
    assert "None yet" in text
    version = re.findall(r'name="version" value="([^"]+)"', text)[0]

    def save(state: str) -> TestResponse:
        return post(triggers.api, f"{url}/state", csrf=token(text), version=version, state=state)

    for wrong, said in (("{", "not JSON"), ('{"after": "x"}', "$.after"), ("[]", "$:")):
        answer = save(wrong)
        assert answer.status_code == 422
        assert said in answer.text
    assert save('{"after": 7}').status_code == 303
    assert "7" in page(triggers.api, url)
    again = save('{"after": 8}')
    assert again.status_code == 422, "somebody has written since the page was shown"
    assert "{&#34;after&#34;: 8}" in again.text, "nothing typed is lost"


def test_a_delivery_is_sent_anew_from_its_page(triggers: Triggers) -> None:
    url = _url(triggers, "signup")
    csrf = token(page(triggers.api, url))
    fired = post(triggers.api, f"{url}/fire", csrf=csrf, how="fire", **{"input.name": "Ada"}).headers[
        "Location"
    ]
    again = post(triggers.api, f"{fired}/replay", csrf=csrf, do="replay").headers["Location"]
    assert again != fired
    text = page(triggers.api, again)
    assert f"Sent anew from {fired[-6:]}" in text
    assert "Fired" in text
    lost = triggers.delivery("signup")
    answer = post(triggers.api, f"/deliveries/{lost}/replay", csrf=csrf, do="replay")
    assert answer.headers["Location"] == f"/deliveries/{lost}"


def test_a_webhook_without_its_secret_says_so(triggers: Triggers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNUP_SECRET")
    for path in ("/triggers", _url(triggers, "signup")):
        text = page(triggers.api, path)
        assert "Unhealthy" in text
        seen = re.sub(r"<[^>]*>", "", text)  # a title is seen neither on a phone nor by keyboard
        assert "env:SIGNUP_SECRET is not set" in seen


def test_a_pause_without_an_end_is_told_as_one(triggers: Triggers) -> None:
    source = triggers.source("hourly")
    with triggers.stage.database.transaction() as tx:
        schedules.pause(tx, source.id, UNTIL_RESUMED, "3 runs in a row failed.")
    text = page(triggers.api, f"/triggers/{source.id}")
    assert "until it is resumed" in text
    assert "9999" not in text


def test_a_tick_that_is_under_way_is_canceled_from_its_page(triggers: Triggers) -> None:
    tick = triggers.tick("inbox", 1_000_000, None)
    url = f"{_url(triggers, 'inbox')}/ticks/{tick}"
    csrf = token(page(triggers.api, url))
    assert post(triggers.api, f"{url}/cancel", csrf=csrf).status_code == 303
    assert ("tick.cancel", tick) in triggers.audited()
    ended = triggers.tick("hourly", 1_000_000)
    url = f"{_url(triggers, 'hourly')}/ticks/{ended}"
    assert f"{url}/cancel" not in page(triggers.api, url)
    assert post(triggers.api, f"{url}/cancel", csrf=csrf).status_code == 303
    assert "has ended (fired)" in page(triggers.api, url)
