"""What children may be asked for, where, and what their steps record: refusals, changed code, secrets."""

from __future__ import annotations

import pytest

from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepStatus
from keystroke.errors import OutsideOfRun
from keystroke.store.sql import Sql
from support.attempts import MakeRig


def test_a_child_that_cannot_be_started_fails_its_step_for_good(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        def unpublished() -> int:
            return 1

        @workflow("strict-input")
        def strict_input(name: str) -> str:
            return name

        @workflow("starting", max_attempts=2)
        def starting(wish: str) -> str:
            try:
                if wish == "unknown":
                    workflow("unknown-one")(unpublished).start()
                else:
                    strict_input.start("Ada", tags={"k" * 1000: "v"})
            except ChildFailed as failed:
                CALLS.append(str(failed))
                return failed.status
            return "started"
        """
    )
    for wish, told in (
        ("unknown", "WorkflowNotFound: There is no"),
        ("tags", "InvalidInput: The input does not fit"),
    ):
        run = rig.run_through("starting", wish)
        assert run.output == "refused"
        assert f"was not started: {told}" in rig.calls.pop()
        [step] = rig.steps(run.id).values()
        assert (step.status, step.child_run_id) == (StepStatus.FAILED, None)


def test_an_input_that_does_not_fit_is_refused_before_anything_is_started(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("typed")
        def typed(number: int) -> int:
            return number

        @workflow("misfit")
        def misfit() -> None:
            typed.start("many")
        """
    )
    run = rig.run_through("misfit")
    assert run.error is not None
    assert run.error["message"].startswith("The input of typed does not fit int")
    assert rig.steps(run.id) == {}


def test_children_are_started_in_the_code_of_a_workflow_alone(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from concurrent.futures import ThreadPoolExecutor

        @workflow("leaf")
        def leaf() -> int:
            return 1

        @action
        def inside(how: str) -> str:
            try:
                leaf.start()
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            return "started"

        @workflow("where")
        def where(ctx: Context) -> list[str]:
            with ThreadPoolExecutor(1) as pool:
                foreign = pool.submit(leaf.run)
            handle = leaf.start(key="k")
            wrong = []
            for call in (lambda: ctx.wait([handle.run_id]), lambda: leaf.start(key=""), lambda: leaf.start(tags={"a": 1})):
                try:
                    call()
                except Exception as error:
                    wrong.append(type(error).__name__)
            return [inside("x"), str(foreign.exception()), *wrong]
        """
    )
    run = rig.run_through("where")
    assert run.status is Status.SUCCESS, run.error
    inside, foreign, *wrong = run.output
    assert inside.startswith("WaitInAction: leaf.start was called inside of an action")
    assert foreign.startswith("leaf.run was called in a thread that the workflow started itself")
    assert wrong == ["TypeError", "ValueError", "TypeError"]
    leaf = rig.project.workflows["leaf"]
    with pytest.raises(OutsideOfRun, match=r"leaf\.start works inside of a run only"):
        leaf.start()
    assert leaf() == 1


CHANGED = """
    @workflow("leaf")
    def leaf(text: str) -> str:
        return text

    @action
    def before() -> int:
        return 1

    @workflow("changing", max_attempts=2, backoff=Backoff(first=0.001))
    def changing(ctx: Context) -> str:
        how = "first" if ctx.attempt == 1 else CALLS[0]
        before()
        if how == "action":
            before()
        handle = leaf.start("two" if how == "input" else "one", key="other" if how == "key" else "one")
        if ctx.attempt == 1:
            raise ValueError
        return handle.result()
"""


@pytest.mark.parametrize("how", ["input", "key"])
def test_a_child_that_is_not_the_one_on_record_is_nondeterminism(make_rig: MakeRig, how: str) -> None:
    rig = make_rig(CHANGED)
    rig.calls.append(how)
    run = rig.run_through("changing")
    assert (run.status, run.status_reason) == (Status.FAILED, Reason.NONDETERMINISM)
    assert run.error is not None
    assert "step run:leaf#0 does not match its record" in run.error["message"]
    actual = {
        "input": 'workflow run:leaf("two")',
        "key": 'workflow run:leaf("one") (another secret, or a child\'s key)',
    }
    assert run.error["message"].endswith(f"actual:   {actual[how]}")


def test_another_step_in_front_of_a_child_does_not_matter(make_rig: MakeRig) -> None:
    rig = make_rig(CHANGED)
    rig.calls.append("action")
    assert rig.run_through("changing").output == "one"


def test_the_secrets_of_a_childs_input_and_output_stay_sealed(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from pydantic import BaseModel, SecretStr

        class Login(BaseModel):
            name: str
            password: SecretStr

        @workflow("log-in")
        def log_in(login: Login) -> Login:
            CALLS.append(login.password.get_secret_value())
            return login

        @workflow("parent")
        def parent() -> str:
            login = log_in.run(Login(name="ada", password="hunter2"))
            CALLS.append(login.password.get_secret_value())
            return login.name
        """
    )
    run_id = rig.start("parent")
    rig.run_queued()
    assert rig.run(run_id).output == "ada"
    assert rig.calls == ["hunter2", "hunter2"]
    [step] = rig.steps(run_id).values()
    child = rig.run(step.child_run_id or "")
    for recorded in (step.input, step.output, child.input, child.output):
        assert list(recorded["password"]) == ["$sealed"]
    with rig.database.read() as tx:
        texts = [row.body for row in tx.rows(Sql("select body from run_payloads"))]
    assert not any("hunter2" in text for text in texts)
