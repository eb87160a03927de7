"""The list of runs as a page: what it shows, filters, pages through, cancels; over a real database."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from time import perf_counter

import pytest

from keystroke.domain.sentences import REASONS, STATUSES
from keystroke.domain.states import Reason, Status
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke_api.app import create_app
from keystroke_api.services import services_of
from support.api import NO_BROKER, Api, open_api
from support.pages import HTML, page, post, token
from support.showcase import Showcase
from support.starts import GREET, make_stage


def run_ids(text: str) -> list[str]:
    """The runs of the list."""
    return re.findall(r'<tr id="(run_\w+)"', text)


def test_the_way_in_is_the_history(api: Api) -> None:
    answer = api.client.get("/", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/history")


def test_an_empty_history_says_what_to_do(api: Api) -> None:
    text = page(api, "/history")
    assert "Nothing has run yet." in text
    assert "keystroke workflows run greet" in text
    assert "No run fits these filters." in page(api, "/history?status=failed")


def test_the_list_has_the_default_columns(api: Api) -> None:
    api.stage.start()
    text = page(api, "/history")
    headings = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', text)
    assert headings == ["Name", "Type", "Start time", "Actor", "Status", "Trigger", "Duration", "Project"]
    assert "Queued" in text


def test_the_choice_of_columns_is_in_the_address_and_remembered(api: Api) -> None:
    api.stage.start()
    for path in ("/history?columns=id,cost", "/history"):
        headings = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', page(api, path))
        assert headings == ["Name", "Run id", "Total cost"]


def test_filters_are_chips_that_can_be_taken_away(api: Api) -> None:
    api.stage.finish(api.stage.start_and_claim())
    waiting = api.stage.start("retried").run_id
    text = page(api, "/history?status=queued&status=running&workflow=retried&q=")
    assert run_ids(text) == [waiting]
    chips = re.findall(r'class="chip" href="([^"]+)" aria-label="Remove the filter ([^"]+)"', text)
    assert [(unescape(url), label) for url, label in chips] == [
        ("/history?status=running&workflow=retried", "Status: Queued"),
        ("/history?status=queued&workflow=retried", "Status: Running"),
        ("/history?status=queued&status=running", "Workflow: Greet"),
    ]


@pytest.mark.parametrize(
    "pair",
    [
        "q=x", "tag=a=b", "actor=me", "min_duration=1s", "max_duration=1h", "min_cost=1", "max_cost=2",
        "since=2026-11-23T08:00:00Z", "until=2026-11-23T08:00:00Z", "model=gpt", "min_steps=3", "limit=7",
    ],
)  # fmt: skip
def test_the_form_has_each_filter_in_force_once(api: Api, pair: str) -> None:
    name, _, value = pair.partition("=")
    text = page(api, f"/history?{pair}")
    found = re.findall(rf'<input[^>]* name="{name}"[^>]*>', text)
    assert len(found) == 1
    assert f'value="{value}"' in found[0]


@pytest.mark.parametrize("last", ["1h", "24h", "7d", "30d"])
def test_a_period_counts_back_from_now(api: Api, last: str) -> None:
    started = api.stage.start().run_id
    assert run_ids(page(api, f"/history?last={last}")) == [started]


def test_pages_lead_on_by_key(api: Api) -> None:
    started = [api.stage.start().run_id for _ in range(5)]
    first = page(api, "/history?limit=2")
    assert run_ids(first) == started[:2:-1]
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    api.stage.start()
    assert run_ids(page(api, unescape(older[1]))) == [started[2], started[1]]


@pytest.mark.parametrize(
    "query", ["status=done", "colour=red", "cursor=x", "limit=0", "columns=secret", "q=%00"]
)
def test_a_query_that_cannot_be_used_is_a_page_that_says_why(api: Api, query: str) -> None:
    text = page(api, f"/history?{query}", 422)
    assert "That cannot be used as it is." in text
    assert "Traceback" not in text


def test_selected_runs_are_canceled(api: Api) -> None:
    runs = [api.stage.start().run_id for _ in range(3)]
    ended = api.stage.claim()
    assert ended
    api.stage.finish(ended)
    form = {"csrf": token(page(api, "/history")), "back": "/history?status=canceled", "run": runs}
    answer = post(api, "/history/cancel", **form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/history?status=canceled")
    assert [api.stage.run(each).status for each in runs[1:]] == [Status.CANCELED] * 2
    text = page(api, "/history?status=canceled")
    assert "Canceled 2 runs. 1 run had ended already." in text
    assert "Canceled 2 runs." not in page(api, "/history?status=canceled"), "said once"


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_form_leads_back_to_pages_of_ours_only(api: Api, back: str) -> None:
    api.stage.start()
    answer = post(api, "/history/cancel", csrf=token(page(api, "/history")), back=back)
    assert answer.headers["Location"] == "/history"


@pytest.mark.parametrize(
    ("origin", "changes"),
    [
        ("http://evil.example", {}), ("null", {}), (None, {}), ("http://localhost", {"csrf": "0" * 64}),
        ("http://localhost", {"csrf": ""}), ("http://localhost", {"csrf": "é"}), ("http://localhost:9", {}),
    ],
)  # fmt: skip
def test_forms_of_other_pages_change_nothing(api: Api, origin: str | None, changes: dict[str, str]) -> None:
    run_id = api.stage.start().run_id
    fields = {"csrf": token(page(api, "/history")), "run": run_id, **changes}
    for path in ("/history/cancel", f"/history/{run_id}/cancel"):
        assert post(api, path, origin, **fields).status_code == 403
    assert api.stage.run(run_id).status is Status.QUEUED


def test_a_token_is_worth_nothing_in_another_browser(api: Api) -> None:
    run_id = api.stage.start().run_id
    stolen = token(page(api, "/history"))
    api.client.delete_cookie("keystroke_browser")
    page(api, "/history")
    assert post(api, "/history/cancel", csrf=stolen, run=run_id).status_code == 403


def test_with_keys_a_page_asks_for_one_and_shows_what_it_may(api: Api) -> None:
    run_id = api.stage.start().run_id
    viewer = api.key("viewer")
    text = page(api, "/history", 401)
    assert "keys work" in text
    assert run_id not in text
    shown = page(api, "/history", **viewer)
    assert run_ids(shown) == [run_id]
    assert 'name="run"' not in shown, "a viewer is not offered what it may not do"
    assert api.client.post("/history/cancel", headers={**HTML, **viewer}).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"), [("/nope", 404), ("/history/run_x", 404), ("/workflows/nope", 404)]
)
def test_what_is_not_there_is_a_friendly_page_for_people_and_a_problem_for_programs(
    api: Api, path: str, status: int
) -> None:
    text = page(api, path, status)
    assert "There is nothing at this address." in text
    assert 'href="/history"' in text
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert api.client.get(path, headers=headers).mimetype == "application/problem+json"
    assert api.client.get("/api/v1/nope", headers=HTML).mimetype == "application/problem+json"


def test_the_json_twin_is_the_pages_context(api: Api) -> None:
    run_id = api.stage.start().run_id
    for answer in (
        api.client.get("/history?format=json", headers=HTML),
        api.client.get("/history", headers={"Accept": "application/json"}),
    ):
        assert answer.mimetype == "application/json"
        assert answer.json["rows"][0]["record"]["id"] == run_id
        assert (
            answer.json["rows"][0]["sentence"]
            == "Queued: waiting for a free worker that serves the queue default."
        )


def test_every_reason_and_status_has_a_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert set(STATUSES) == set(Status)


def test_names_are_escaped(database: Database, settings: Settings) -> None:
    evil = replace(
        GREET, slug="evil", name="<script>alert(1)</script>", description="<img src=x onerror=alert(1)>"
    )
    api = open_api(make_stage(database, settings, evil))
    try:
        run_id = api.stage.start("evil", tags={"<b>": "'\"><i>"}).run_id
        for path in (
            "/history?columns=tags",
            "/workflows",
            "/workflows/evil",
            f"/history/{run_id}?tab=metadata",
        ):
            text = page(api, path)
            assert "&lt;script&gt;" in text
            assert "<script>alert" not in text
            assert "<img src=x" not in text
    finally:
        api.services.close()


def test_a_page_of_fifty_runs_is_small_and_quick(show: tuple[Api, Showcase]) -> None:
    api, showcase = show
    showcase.fill()
    for _ in range(45):
        showcase.greeted()
    page(api, "/history")
    times = []
    for _ in range(5):
        began = perf_counter()
        text = page(api, "/history")
        times.append(perf_counter() - began)
    assert len(run_ids(text)) == 50
    assert len(text.encode()) < 60_000
    assert min(times) < 0.05


def test_without_a_database_the_page_says_so_and_keeps_its_promises(sqlite_settings: Settings) -> None:
    app = create_app(
        replace(sqlite_settings, database_url="postgresql://nobody@127.0.0.1:1/none", broker_url=NO_BROKER)
    )
    answer = app.test_client().get("/history", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The database does not answer right now." in answer.text
    assert answer.headers["Retry-After"]
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    services_of(app).close()
