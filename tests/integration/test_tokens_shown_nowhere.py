"""A token that stands on record in every place there is, and every route and page that shows the run: it is in none of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.failure import Failure, Frame
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Failed
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepStatus, StepTry
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_step import record_step
from keystroke.operations.record_trace import record_trace
from keystroke.operations.start_run import StartRequest, start_run
from support.api import Api
from support.hooks import now
from support.pages import HTML
from support.starts import Stage

TOKEN = "hkt_" + "abcdefghijklmnopqrstuvwxyz234567"
LINK = f"https://example.com/hooks/{TOKEN}?confirm=1"


def say_everywhere(stage: Stage, lease: Lease) -> None:
    """Record the token in steps, usage, spans, log lines and progress."""
    at = now(stage)
    error = {"type": LINK, "message": LINK, "step": LINK, "stack": [], "args": [LINK]}
    step = Step(
        "send#0", "send", LINK, StepKind.ACTION, StepStatus.FAILED, 2, "d", at, at, {"to": LINK}, {TOKEN: LINK}, error,
        tries=(StepTry(1, error, at, at),),
    )  # fmt: skip
    record_step(
        stage.database, lease, step, stage.settings,
        [UsageItem("other", LINK, Decimal(1), LINK, Decimal(1), "USD", "send#0")],
    )  # fmt: skip
    record_step(
        stage.database,
        lease,
        replace(step, identity="send#1", status=StepStatus.SUCCESS, error=None),
        stage.settings,
    )
    span = Span(
        "1" * 16,
        None,
        LINK,
        "client",
        at,
        at,
        "ok",
        {TOKEN: LINK},
        ({"name": LINK, "attributes": {"to": LINK}},),
    )
    record_trace(
        stage.database, lease, [span], [LogLine(at, "INFO", LINK, LINK, None, "send#0")], stage.settings
    )
    record_progress(stage.database, lease, 0.5, LINK)


@pytest.fixture
def run_id(api: Api) -> str:
    """A run that has the token in each of its records, written past all capture."""
    stage = api.stage
    request = StartRequest(
        "greet", {"name": LINK, TOKEN: [{"deep": LINK}]}, Trigger("api", LINK, LINK, LINK, {"body": LINK}),
        Actor("api_key", "key_1", LINK), tags={TOKEN: LINK}, idempotency_key=LINK,
    )  # fmt: skip
    started = start_run(stage.database, stage.project, request, stage.settings, stage.box)
    lease = stage.claim()
    assert lease
    say_everywhere(stage, lease)
    failure = Failure(LINK, LINK, None, (Frame("flows.py", 1, "f", f"send('{LINK}')"),), "send#0")
    stage.finish(lease, Failed(failure, Reason.USER_ERROR))
    return started.run_id


def test_no_route_and_no_page_shows_a_token(api: Api, run_id: str) -> None:
    page, rest = f"/history/{run_id}", f"/api/v1/runs/{run_id}"
    paths = [
        rest, f"{rest}?include=trigger,steps,trace,attempts,timeline", f"{rest}/logs", f"{rest}/spans", f"{rest}/events",
        "/api/v1/runs", "/api/v1/runs?q=example", "/api/v1/projects/demo/workflows", "/history", f"/history?run={run_id}",
        "/history?columns=name,status,tags,trigger,actor,cost,id", "/workflows", "/workflows/greet", page,
        f"{page}?view=yaml", f"{page}?tab=metadata", f"{page}?tab=trace", f"{page}/replay", f"{page}?format=json",
        f"{page}?tab=trace&format=json", f"{page}?tab=metadata&format=json", "/history?format=json",
    ]  # fmt: skip
    paths += [
        f"{page}/{part}.{kind}"
        for part in ("run", "input", "error", "trace", "steps", "trigger")
        for kind in ("json", "yaml")
    ]
    shown = hidden = 0
    for path in paths:
        answered = api.client.get(path, headers=HTML if path.startswith(("/history", "/workflows")) else {})
        assert answered.status_code in (200, 404), (path, answered.status_code)
        assert TOKEN not in answered.text, path
        shown += answered.status_code == 200
        hidden += "hkt_[redacted]" in answered.text
    assert shown >= len(paths) - 1, "pages that are not there show nothing"
    assert hidden >= 20, "and it would be there otherwise"


def test_problems_do_not_give_a_token_back(api: Api) -> None:
    for answered in (
        api.get(f"/runs/{TOKEN}"), api.get(f"/{TOKEN}"), api.client.get(f"/hooks/{TOKEN}"), api.get(f"/runs?status={TOKEN}"),
        api.post("/projects/demo/workflows/greet/runs", json={"input": {"name": 1, "email": TOKEN}}),
        api.client.get(f"/hooks/{TOKEN}", headers=HTML), api.client.get(f"/{TOKEN}", headers=HTML),
    ):  # fmt: skip
        assert 400 <= answered.status_code < 500
        assert TOKEN not in answered.text
