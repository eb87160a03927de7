"""A run as a page: its three tabs, payloads that are hard to show, downloads, its Cancel button."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from keystroke.domain.outcome import Completed
from keystroke.domain.states import Status
from keystroke_api.ui.json_markup import json_markup
from support.api import Api
from support.pages import HTML, page, post, token
from support.showcase import NASTY, Showcase, deep

Show = tuple[Api, Showcase]
_EVIL = ("<script>alert", "<img src=x", "<b>x</b>", "\x1b", "\u202e")


def test_a_success_shows_output_input_steps_and_usage(show: Show) -> None:
    api, showcase = show
    run_id = showcase.signed_up()
    text = page(api, f"/history/{run_id}")
    assert [text.index(f'id="{part}-heading"') for part in ("output", "input", "steps", "usage")] == sorted(
        text.index(f'id="{part}-heading"') for part in ("output", "input", "steps", "usage")
    )
    for shown in ("Success", "score#0", "try 2", "0.0084 USD", "refused the connection"):
        assert shown in text
    assert "navy" not in text
    assert "[redacted]" in text


def test_a_failure_shows_its_error_with_the_authors_frames_and_no_output(show: Show) -> None:
    api, showcase = show
    text = page(api, f"/history/{showcase.declined()}")
    for shown in (
        "CardDeclined",
        "charge#0",
        "insufficient funds",
        "workflows/charge_card.py:17",
        "actions/charge.py:14",
    ):
        assert shown in text
    assert 'id="output"' not in text
    assert "Its code raised an error" in text


def test_a_running_run_shows_progress_and_offers_to_cancel(show: Show) -> None:
    api, showcase = show
    run_id = showcase.running()
    text = page(api, f"/history/{run_id}")
    for shown in ("Read section 12 of 30", "40 %", 'data-since="', "Cancel</button>"):
        assert shown in text
    answer = post(api, f"/history/{run_id}/cancel", csrf=token(text))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/history/{run_id}")
    assert "Cancel requested" in page(api, f"/history/{run_id}")
    assert api.stage.run(run_id).cancel_requested_at


def test_a_queued_run_is_canceled_at_once_and_an_ended_one_is_left_alone(show: Show) -> None:
    api, showcase = show
    run_id = showcase.queued()
    form = {"csrf": token(page(api, f"/history/{run_id}"))}
    post(api, f"/history/{run_id}/cancel", **form)
    assert api.stage.run(run_id).status is Status.CANCELED
    post(api, f"/history/{run_id}/cancel", **form)
    assert "has ended already: canceled" in page(api, f"/history/{run_id}")


def test_metadata_shows_all_of_the_record(show: Show) -> None:
    api, showcase = show
    run_id = showcase.handed_back()
    text = page(api, f"/history/{run_id}?tab=metadata")
    run = api.stage.run(run_id)
    for shown in (
        run_id,
        run.deployment,
        run.trace_id,
        "Hand back",
        "Complete",
        "Idempotency key",
        "Kept until",
        "Priority",
    ):
        assert str(shown) in text
    assert text.count('<tr><td class="number">') == 2


def test_the_trace_shows_spans_under_their_parents_and_logs(show: Show) -> None:
    api, showcase = show
    run_id = showcase.signed_up()
    text = page(api, f"/history/{run_id}?tab=trace")
    names = re.findall(r'class="span-name depth-(\d+) (\w+)">([^<]+)<', text)
    assert names == [
        ("0", "run", "signup-pipeline"), ("1", "attempt", "attempt 1"), ("2", "step", "research#0"),
        ("3", "span", "GET example.com"), ("2", "step", "score#0"), ("2", "step", "write_brief#0"),
    ]  # fmt: skip
    assert "Looking up example.com" in text


def test_steps_are_in_the_waterfall_before_they_have_spans(show: Show) -> None:
    api, showcase = show
    text = page(api, f"/history/{showcase.running()}?tab=trace")
    assert re.findall(r'class="span-name depth-\d+ \w+">([^<]+)<', text) == [
        "long-report",
        "read_section#0",
        "read_section#1",
    ]
    assert 'class="bar running' in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", 2), ("&level=ERROR", 2), ("&level=CRITICAL", 2), ("&text=BANK", 1), ("&step=charge%230", 2), ("&step=x", 0),
        ("&level=nonsense", 2), ("&text=%25", 0),
    ],
)  # fmt: skip
def test_logs_are_filtered(show: Show, query: str, shown: int) -> None:
    api, showcase = show
    shown = 0 if "CRITICAL" in query else shown
    text = page(api, f"/history/{showcase.declined()}?tab=trace{query}")
    assert len(re.findall(r'<li class="error" data-number', text)) == shown


@pytest.mark.parametrize("view", ["json", "yaml"])
@pytest.mark.parametrize("tab", ["overview", "metadata", "trace"])
def test_evil_payloads_are_shown_harmlessly(show: Show, tab: str, view: str) -> None:
    api, showcase = show
    run_id = showcase.nasty()
    text = page(api, f"/history/{run_id}?tab={tab}&view={view}")
    for evil in _EVIL:
        assert evil not in text
    if tab == "overview":
        for shown in ("9223372036854775807", "🎹", "東京", "{{ 7 * 7 }}", "\\u202e"):
            assert shown in text.replace("\\u202E", "\\u202e")
        assert "hunter2" not in text


def test_a_megabyte_is_shown_in_part_and_downloaded_whole(show: Show) -> None:
    api, showcase = show
    text = "é" * 500_000
    run_id = showcase.greeted(output=text)
    for view in ("json", "yaml"):
        shown = page(api, f"/history/{run_id}?view={view}")
        assert len(shown) < 200_000
        assert "download to see all" in shown
    answer = api.client.get(f"/history/{run_id}/output.json?download", headers=HTML)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run_id}-output.json"'
    assert json.loads(answer.data) == text


def test_downloads_hold_the_values_that_are_on_record(show: Show) -> None:
    api, showcase = show
    run_id = showcase.nasty()
    expected = {**NASTY, "password": "[redacted]"}
    assert json.loads(api.client.get(f"/history/{run_id}/input.json").data) == expected
    assert yaml.safe_load(api.client.get(f"/history/{run_id}/input.yaml").data) == expected
    whole = json.loads(api.client.get(f"/history/{run_id}/run.json").data)
    assert {"steps", "trace", "attempts", "timeline", "input", "output"} <= set(whole)
    assert api.client.get(f"/history/{run_id}/secrets.json").status_code == 404
    assert api.client.get(f"/history/{run_id}/input.exe").status_code == 404


def test_a_run_of_thousands_is_shown_in_part_and_downloaded_whole(show: Show) -> None:
    api, showcase = show
    run_id = showcase.long(steps=130, lines=1_300)
    text = page(api, f"/history/{run_id}")
    assert re.findall(r'class="step-name">(\w+#\d+)<', text) == [f"read_section#{n}" for n in range(30, 130)]
    assert "30 earlier ones left out" in text
    assert f"/history/{run_id}/steps.json" in text
    assert len(api.client.get(f"/history/{run_id}/steps.json").json) == 130
    trace = api.client.get(f"/history/{run_id}/trace.json?download").json
    assert [line["body"] for line in trace["logs"]] == [f"line {n}" for n in range(1_300)]


def test_the_panel_stands_beside_the_list(show: Show) -> None:
    api, showcase = show
    run_id = showcase.declined()
    text = page(api, f"/history?status=failed&run={run_id}")
    assert 'class="panel"' in text
    assert f'<tr id="{run_id}" aria-current="true">' in text
    assert 'href="/history?status=failed" data-close-panel' in text


def test_a_beginning_of_an_id_leads_to_the_run(show: Show) -> None:
    api, showcase = show
    run_id = showcase.greeted()
    answer = api.client.get(f"/history/{run_id[:-1]}", headers=HTML)
    assert answer.headers["Location"] == f"/history/{run_id}"


@pytest.mark.parametrize(
    "value", [deep(300), [[]] * 100_000, {str(n): n for n in range(50_000)}, "x" * 2_000_000, 10**400]
)
def test_whatever_the_value_its_markup_is_bounded(value: Any) -> None:
    assert len(json_markup(value)) < 700_000


def test_equal_parts_of_a_value_are_written_out_in_yaml(show: Show) -> None:
    api, showcase = show
    part = {"a": [1]}
    lease = api.stage.start_and_claim()
    api.stage.finish(lease, Completed({"first": part, "second": part}))
    assert b"&id" not in api.client.get(f"/history/{lease.run_id}/output.yaml").data
    assert showcase.stage is api.stage
