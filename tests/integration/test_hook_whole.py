"""A hook from `ctx.hook` to its answer: asked by code, answered over HTTP by the very link that the code sent out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from keystroke.domain.outcome import Completed
from keystroke.domain.states import Status
from keystroke.domain.step import StepStatus
from support.api import Api, assert_problem, open_api
from support.attempts import MakeRig, Rig
from support.pages import HTML

SOURCE = """
    from pydantic import BaseModel, SecretStr
    from keystroke import HookTimeout

    class Decision(BaseModel):
        \"\"\"May the sales team write to her?\"\"\"
        seats: int = 5
        approved: bool
        code: SecretStr | None = None

    @action
    def send(url: str) -> str:
        CALLS.append(url)
        return url

    @action
    def act(decision: bool) -> str:
        CALLS.append(decision)
        return "written" if decision else "left alone"

    @workflow("approve")
    def approve(ctx: Context) -> str:
        hook = ctx.hook("approval", schema=Decision, timeout="3d")
        send(hook.url)
        try:
            decision = hook.wait()
        except HookTimeout:
            return "nobody answered"
        if decision.code is not None:
            CALLS.append(decision.code.get_secret_value())
        return act(decision.approved)
"""


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """A project that asks."""
    return make_rig(SOURCE)


@pytest.fixture
def api(rig: Rig) -> Iterator[Api]:
    """The app over the rig's database, with the key of the rig's worker."""
    opened = open_api(rig.stage, secret_key=("a secret for tests",))
    yield opened
    opened.services.close()


def asked(rig: Rig) -> tuple[str, str]:
    """A run that waits: its id, and the path of the link that it sent."""
    run_id = rig.start("approve")
    rig.attempt()
    assert rig.run(run_id).status is Status.WAITING_ON_HOOK
    link = urlsplit(rig.calls[-1])
    assert (link.scheme, link.netloc) == ("http", "127.0.0.1:3002")
    return run_id, link.path


def test_the_link_that_code_sends_answers_and_the_run_goes_on_once(rig: Rig, api: Api) -> None:
    run_id, path = asked(rig)
    page = api.client.get(path, headers=HTML).text
    assert "May the sales team write to her?" in page
    assert page.index('name="input.seats"') < page.index('name="input.approved"'), (
        "in the order of the author"
    )
    assert_problem(api.client.post(path, json={"approved": "perhaps", "seats": -1.5}), 422, "invalid-answer")
    assert api.client.post(path, json={"approved": True, "code": "4711"}).status_code == 200
    assert_problem(api.client.post(path, json={"approved": False}), 409, "hook-answered")
    assert rig.attempt() == Completed("written")
    assert rig.calls[1:] == ["4711", True]
    run = api.get(f"/runs/{run_id}?include=steps,trace,timeline").text
    assert path.removeprefix("/hooks/") not in run
    assert "4711" not in run
    assert [
        entry["transition"] for entry in api.get(f"/runs/{run_id}?include=timeline").json["timeline"]
    ].count("answer") == 1
    assert rig.steps(run_id)["hook:approval#0"].status is StepStatus.SUCCESS
    assert_problem(api.client.post(path, json={"approved": True}), 409)


def test_an_answer_while_the_run_works_is_there_when_it_waits(rig: Rig, api: Api) -> None:
    rig.start("approve")
    lease = rig.claim()

    class Sent(list[object]):
        """Answers as soon as the link is sent, before the run waits."""

        def append(self, value: object) -> None:
            super().append(value)
            if len(self) == 1:
                assert api.client.post(urlsplit(str(value)).path, json={"approved": False}).status_code == 200

    function = next(iter(rig.project.workflows.values())).function
    function.__globals__["CALLS"] = Sent()
    assert rig.attempt(lease) == Completed("left alone")


def test_a_timeout_and_the_answer_that_comes_after_it(rig: Rig, api: Api) -> None:
    _, path = asked(rig)
    rig.advance(3 * 86_400 + 1)
    outcome = rig.attempt()
    assert outcome == Completed("nobody answered")
    assert_problem(api.client.post(path, json={"approved": True}), 410)


def test_a_canceled_run_wants_no_answer(rig: Rig, api: Api) -> None:
    run_id, path = asked(rig)
    assert api.post(f"/runs/{run_id}/cancel").status_code == 202
    assert_problem(api.client.post(path, json={"approved": True}), 410, "hook-ended")
    assert rig.run(run_id).status is Status.CANCELED
