"""Answering in a real browser: by the link, on any device, with scripts or without; in the app, from list and run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from keystroke.domain.asking import AskingStatus
from keystroke.domain.secrets import HOOK_TOKEN
from keystroke.domain.states import Status
from keystroke.store.sql import Sql
from support.browser import Tab
from support.hooks import Question, answer, ask, recorded_answer, wait_for_answer, waiting
from support.surroundings import NO_SCRIPTS, PHONE, WIDE, flaws

DECISION: dict[str, Any] = {
    "type": "object", "title": "Decision", "description": "Grace Hopper scores 72 of 100. May the sales team write to her?",
    "properties": {
        "approved": {"type": "boolean", "title": "Approved"},
        "plan": {"enum": ["free", "team", "enterprise"], "title": "Plan", "default": "team"},
        "seats": {"type": "integer", "title": "Seats", "minimum": 1, "default": 5},
        "comment": {"type": "string", "title": "Comment", "description": "Sales reads it.", "maxLength": 500, "default": ""},
        "region": {"enum": ["Africa", "America", "Asia", "Europe", "Oceania"], "title": "Region", "default": "Europe"},
    },
    "required": ["approved"],
}  # fmt: skip
_SIGNUP = {"workflow": "signup-pipeline", "value": {"name": "Grace Hopper", "email": "grace@example.com"}}


def asked(tab: Tab, name: str = "approval", **how: Any) -> Question:
    """A run of the showcase that waits for a decision."""
    return waiting(tab.site.api.stage, name, start=_SIGNUP, **{"schema": DECISION, **how})


def kept(tab: Tab, question: Question) -> Any:
    """The answer on record."""
    with tab.site.api.stage.database.read() as tx:
        text = tx.value(Sql("select answer from hooks where id = :id"), {"id": question.id})
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    "context", [WIDE, PHONE, NO_SCRIPTS], indirect=True, ids=["wide", "phone", "no scripts"]
)
def test_a_person_answers_by_the_link(tab: Tab) -> None:
    question = asked(tab)
    page = tab.go(question.path)
    assert recorded_answer(tab.site.api.stage, question).status is AskingStatus.WAITING
    page.get_by_role("button", name="Send answer").click()
    expect(page.locator(".field.wrong .error")).to_have_text("This is needed.")
    assert ["422" in each for each in tab.wrong] == [True]
    tab.wrong.clear()
    page.get_by_label("Yes").check()
    page.get_by_label("enterprise").check()
    page.get_by_label("Seats").fill("12")
    page.get_by_label("Comment").fill("Go on.")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("heading", name="Thank you.")).to_be_visible()
    assert kept(tab, question) == {
        "approved": True, "plan": "enterprise", "seats": 12, "comment": "Go on.", "region": "Europe",
    }  # fmt: skip
    assert tab.site.api.stage.run(question.run_id).status is Status.QUEUED
    page.goto(f"{tab.site.url}{question.path}")
    expect(page.get_by_text("The first answer counts")).to_be_visible()
    assert page.context.cookies() == [], "whoever has a link is no user of the app"


def test_a_link_of_one_click_answers_when_it_is_opened(tab: Tab) -> None:
    question = asked(tab, one_click=True)
    page = tab.go(f"{question.path}?confirm=1&approved=true")
    expect(page.get_by_role("heading", name="Thank you.")).to_be_visible()
    assert kept(tab, question)["approved"] is True


@pytest.mark.parametrize(
    ("context", "every"),
    [(WIDE, True), (PHONE, False)],
    indirect=["context"],
    ids=["wide", "phone"],
)
def test_the_pages_of_hooks_are_free_of_barriers(tab: Tab, every: bool) -> None:
    stage = tab.site.api.stage
    empty = tab.go("/hooks")
    found = {"nothing": flaws(tab)}
    expect(empty.get_by_text("Nothing waits for an answer.")).to_be_visible()
    answered, expired, one = (
        asked(tab, "first"),
        asked(tab, timeout=timedelta(days=3)),
        asked(tab, "budget_approval"),
    )
    answer(stage, answered, {"approved": True})
    with stage.database.transaction() as tx:
        tx.run(Sql("update hooks set expires_at = {now} - 1 where id = :id"), {"id": expired.id})
    asked(tab, "anything", schema={}, timeout=timedelta(hours=2))
    paths = ["/hooks", f"/history/{one.run_id}", one.path, expired.path]
    if every:
        paths += [f"/hooks/{one.id}/answer", f"/hooks/{answered.id}/answer", answered.path, "/hooks/hkt_nope"]
    for path in paths:
        page = tab.go(path)
        for summary in page.locator(".answering summary").all():
            summary.click()
        found[path] = flaws(tab)
        assert HOOK_TOKEN.search(page.content()) is None, path
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert [code for code in ("410", "404") if any(code in each for each in tab.wrong)] == ["410", "404"][
        : 1 + every
    ]
    assert len(tab.wrong) == 1 + every
    tab.wrong.clear()


def test_hooks_are_answered_in_the_app(tab: Tab) -> None:
    stage = tab.site.api.stage
    listed, shown = asked(tab, "first"), asked(tab, "second")
    page = tab.go("/history")
    page.get_by_role("link", name="Hooks").click()
    row = page.locator(f"#{listed.id}")
    row.get_by_text("Answer", exact=True).click()
    row.get_by_label("No", exact=True).check()
    row.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("Answered. The run goes on.")).to_be_visible()
    expect(page.locator(f"#{listed.id}")).to_have_count(0)
    assert kept(tab, listed)["approved"] is False
    page.get_by_role("link", name="Signup pipeline").click()
    page.locator(f"#{shown.id}").get_by_label("Seats").fill("0")
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Send answer").click()
    expect(page.locator(".field.wrong .error")).to_have_text("0 is less than the minimum of 1")
    assert ["422" in each for each in tab.wrong] == [True]
    tab.wrong.clear()
    page.get_by_label("Seats").fill("3")
    page.get_by_role("button", name="Send answer").click()
    expect(page).to_have_url(f"{tab.site.url}/history/{shown.run_id}")
    assert kept(tab, shown)["seats"] == 3
    assert stage.run(shown.run_id).status is Status.QUEUED


def test_what_is_typed_stays_while_the_run_moves_on(tab: Tab) -> None:
    """A run that waits in one branch may work in others: its page is brought up to date around the form."""
    stage = tab.site.api.stage
    tab.site.showcase.running()
    lease = tab.site.showcase.lease
    question = ask(stage, lease, schema=DECISION)
    page = tab.go(f"/history/{lease.run_id}")
    page.get_by_label("Comment").fill("half a sen")
    page.locator("h2").first.click()
    wait_for_answer(stage, lease, question)
    expect(page.locator("#run-head .status")).to_have_text("Waiting on hook")
    expect(page.get_by_label("Comment")).to_have_value("half a sen")
