"""The kit finds what a workflow's code can name, in whichever of the author's modules it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from keystroke.testing import KitProblem, TestKit
from support.documents import run_its_tests
from support.projects import write_project

FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "errors.py": """
        class OutOfStock(Exception):
            pass
    """,
    "shelves.py": """
        from keystroke import action
        from errors import OutOfStock

        @action
        def take(article: str) -> str:
            raise OutOfStock(article)
    """,
    "parts.py": """
        import shelves

        def take_all(articles):
            return [shelves.take(article) for article in articles]
    """,
    "workflows/orders.py": """
        from keystroke import action, workflow
        from parts import take_all

        class Proxy:
            def __getattribute__(self, name):
                raise RuntimeError("working outside of everything")

        proxy = Proxy()

        @workflow("order")
        def order(articles: list[str]) -> list[str]:
            from errors import OutOfStock
            try:
                return take_all(articles)
            except OutOfStock as error:
                return [f"no {error}"]

        @workflow("late")
        def late() -> str:
            from later import remind
            return remind("Ada")
    """,
    "later.py": """
        from keystroke import action

        class TooLate(Exception):
            pass

        @action
        def remind(whom: str) -> str:
            raise TooLate(whom)
    """,
    "tests/test_orders.py": """
        import pytest
        from workflows.orders import late, order

        def test_an_action_behind_a_plain_function_of_another_module(keystroke):
            keystroke.stub("take", calls=lambda article: f"one {article}")
            assert keystroke.run(order, ["pen", "ink"]).output == ["one pen", "one ink"]

        def test_exceptions_of_other_modules_are_rebuilt(keystroke):
            assert keystroke.run(order, ["pen"]).output == ["no pen"]

        def test_what_is_imported_late_is_stubbed_by_itself(keystroke):
            assert keystroke.run(late).error.type == "later.TooLate"
            keystroke.stub("remind", returns="reminded")
            with pytest.raises(AssertionError, match="imported only while the code runs"):
                keystroke.run(late)

        def test_by_itself(keystroke):
            from later import remind
            keystroke.stub(remind, returns="reminded")
            assert keystroke.run(late).output == "reminded"
    """,
}


def test_a_project_of_several_modules(tmp_path: Path) -> None:
    ran = run_its_tests(write_project(tmp_path, FILES))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_two_of_one_name_are_refused() -> None:
    from keystroke import workflow

    @workflow("twice")
    def first() -> None:
        """One."""

    @workflow("twice")
    def second() -> None:
        first()

    with (
        TestKit() as kit,
        pytest.raises(KitProblem, match=r"twice is defined twice, at .*test_kit_definitions"),
    ):
        kit.run(second)
