"""Loading a project: everything is registered, or everything that is wrong is named and nothing is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keystroke.authoring.project import load_project
from keystroke.domain.manifest import WorkflowManifest, workflows_from_json
from keystroke.errors import ProjectErrors
from support.projects import write_project

GOOD = {
    "workflows/greet.py": """\
        from __future__ import annotations
        from actions.shout import shout
        from keystroke import workflow

        @workflow("greet", tags={"team": "a"}, retention="1d")
        def greet(name: str) -> str:
            \"\"\"Says hello.\"\"\"
            return shout(name)
        """,
    "actions/shout.py": """\
        from keystroke import action
        from _voice import louder

        @action
        def shout(text: str) -> str:
            return louder(text)
        """,
    "_voice.py": "def louder(text): return text.upper()\n",
}


BAD = {
    "workflows/one.py": """\
        from keystroke import workflow, action

        class Thing: ...

        @workflow("one", priority=99)
        def one(): ...

        @workflow("two")
        def two(a: int, b: int): ...

        @workflow("three")
        def three(thing: Thing): ...

        @action
        def same(thing: Thing): ...

        @workflow
        def four(): ...
        """,
    "workflows/two.py": """\
        from keystroke import workflow, action

        @workflow("two", budget="-3")
        def two(a: int, b: int): ...

        @action
        def same(): ...
        """,
    "workflows/three.py": "import json\n\nfrom actions.broken import x\n",
    "actions/broken.py": "def fail():\n    raise LookupError('no')\n\nfail()\n",
    "actions/exits.py": "import sys\nsys.exit(3)\n",
    "actions/syntax.py": "x = 1\ndef f(:\n",
    "actions/my-action.py": "",
    "json.py": "",
    "click.py": "",
}

NO_SCHEMA = "Pydantic has no schema for it; use a Pydantic model, a dataclass or a plain type"
WRONG = [
    "json.py: the name 'json' hides the module of that name in Python's standard library: rename it",
    "workflows/one.py:5: workflow one: priority is 99; it must be a whole number from -10 to 10",
    'workflows/one.py:17: @workflow needs a slug: @workflow("four")',
    "workflows/two.py:3: workflow two: budget must be between 0 and 9000000000: '-3'",
    "actions/broken.py:2: LookupError: no",
    "actions/exits.py:2: SystemExit: 3",
    "actions/my-action.py: 'my-action' cannot be imported by name: use letters, digits and underscores",
    "actions/syntax.py:2: SyntaxError: invalid syntax",
    "workflows/one.py:8: workflow two: it has 2 parameters (a, b): make them fields of one model, its input",
    f"workflows/one.py:11: workflow three: the type of parameter thing, Thing, cannot be recorded: {NO_SCHEMA}",
    f"workflows/one.py:14: action same: the type of parameter thing, Thing, cannot be recorded: {NO_SCHEMA}",
    "workflows/two.py:3: workflow two: it has 2 parameters (a, b): make them fields of one model, its input",
    "workflows/two.py:3: the slug 'two' is taken by workflows/one.py:8",
    "workflows/two.py:6: the action name 'same' is taken by workflows/one.py:14",
]


@pytest.fixture(autouse=True)
def nothing_stays_imported() -> Iterator[None]:
    """Whatever a test loads is forgotten afterwards."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith("keystroke"):
            del sys.modules[name]


def problems_of(directory: Path) -> list[str]:
    before = list(sys.path), sys.modules.keys() - {"workflows", "actions"}
    with pytest.raises(ProjectErrors) as refused:
        load_project(directory)
    assert sys.path == before[0]
    assert not {name for name in sys.modules if name.startswith(("workflows", "actions"))}
    return [str(problem) for problem in refused.value.problems]


def test_a_project_is_loaded_with_its_definitions(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path, GOOD))
    assert (project.organization, project.project) == ("acme", "shop")
    assert project.workflows["greet"]("ada") == "ADA"
    assert project.actions["shout"]("ada") == "ADA"
    assert project.modules == {"workflows", "workflows.greet", "actions", "actions.shout", "_voice"}


def test_the_manifest_is_what_is_published(tmp_path: Path) -> None:
    manifest = load_project(write_project(tmp_path, GOOD)).manifest
    assert manifest.workflows["greet"] == WorkflowManifest(
        slug="greet",
        name="greet",
        description="Says hello.",
        input_schema={"type": "string"},
        output_schema={"type": "string"},
        tags={"team": "a"},
        retention=86_400.0,
        source="workflows/greet.py:5",
    )
    assert workflows_from_json(manifest.as_json()) == manifest.workflows


def test_another_project_replaces_the_first_in_the_same_process(tmp_path: Path) -> None:
    first = load_project(write_project(tmp_path / "one", GOOD))
    other = GOOD | {"_voice.py": "def louder(text): return text + '!'\n"}
    second = load_project(write_project(tmp_path / "two", other))
    assert second.workflows["greet"]("ada") == "ada!"
    assert first.workflows["greet"]("ada") == "ADA"
    assert str(tmp_path / "one") not in sys.path
    again = load_project(tmp_path / "one")
    assert again.workflows["greet"]("ada") == "ADA"
    assert again.manifest.digest == first.manifest.digest != second.manifest.digest


def test_changed_code_is_seen_when_it_is_loaded_again(tmp_path: Path) -> None:
    load_project(write_project(tmp_path, GOOD))
    more = "from keystroke import workflow\n@workflow('more')\ndef more(): return 1\n"
    write_project(tmp_path, {"workflows/more.py": more})
    assert set(load_project(tmp_path).workflows) == {"greet", "more"}


def test_a_load_that_fails_leaves_the_loaded_project_in_place(tmp_path: Path) -> None:
    load_project(write_project(tmp_path / "one", GOOD))
    with pytest.raises(ProjectErrors):
        load_project(write_project(tmp_path / "two", {"workflows/a.py": "import nothing_of_that_name\n"}))
    assert str(tmp_path / "one") in sys.path
    assert sys.modules["workflows.greet"].__file__ == str(tmp_path / "one/workflows/greet.py")


def test_nested_modules_are_imported_and_private_ones_are_not(tmp_path: Path) -> None:
    definition = "from keystroke import workflow\n@workflow('{}')\ndef run(): ...\n"
    files = {
        "workflows/billing/invoice.py": definition.format("invoice"),
        "workflows/packed/__init__.py": definition.format("packed"),
        "workflows/_draft.py": "raise RuntimeError('not imported')\n",
        "workflows/_drafts/one.py": "raise RuntimeError('not imported')\n",
    }
    assert set(load_project(write_project(tmp_path, files)).workflows) == {"invoice", "packed"}


def test_a_definition_that_is_imported_elsewhere_counts_once(tmp_path: Path) -> None:
    files = GOOD | {
        "workflows/again.py": "from actions.shout import shout\nfrom workflows.greet import greet as hello\n"
    }
    project = load_project(write_project(tmp_path, files))
    assert (set(project.workflows), set(project.actions)) == ({"greet"}, {"shout"})


def test_what_on_failure_names_has_to_be_published(tmp_path: Path) -> None:
    source = """\
        from keystroke import workflow

        def handlers():
            @workflow("hidden")
            def hidden(told: dict): ...

            return hidden

        @workflow("one", on_failure=handlers())
        def one(): ...
        """
    message = "workflow one: on_failure is hidden, which no module of the project defines by name"
    assert problems_of(write_project(tmp_path, {"workflows/one.py": source})) == [
        f"workflows/one.py:9: {message}"
    ]


def test_source_may_lie_in_a_folder(tmp_path: Path) -> None:
    files = {f"src/{name}": text for name, text in GOOD.items()}
    project_file = 'project = "shop"\nsource = "src"\n[settings]\nconcurrency = 4\n'
    project = load_project(write_project(tmp_path, files, project_file=project_file))
    assert project.organization == "default"
    assert project.manifest.workflows["greet"].source == "src/workflows/greet.py:5"


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    clash, *found = problems_of(write_project(tmp_path, BAD))
    assert clash.startswith(
        "click.py: the name 'click' hides the module of that name in an installed package ("
    )
    assert found == WRONG


def test_an_installed_package_of_the_name_of_a_folder_is_a_clash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = write_project(tmp_path / "site", {"workflows/__init__.py": "x = 1\n"})
    monkeypatch.syspath_prepend(installed)
    found = problems_of(write_project(tmp_path / "project", GOOD))
    assert len(found) == 1
    assert found[0].startswith(
        "workflows: the name 'workflows' hides the module of that name in an installed package"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'project is missing: write project = "signup"'),
        ('project = "My Shop"', "project is 'My Shop'; write it in small letters, digits and dashes"),
        ('project = "shop"\norganization = 3', "organization is 3"),
        ('project = "shop"\nsource = "src"', "source is 'src'; there is no such folder"),
        (
            'project = "shop"\nsuorce = "src"',
            "unknown key 'suorce'; there are organization, project, settings, source",
        ),
        ('project = "shop', "(at end of document)"),
        ('project = "shop"', "there is no folder workflows or actions or triggers in"),
    ],
)
def test_the_project_file_is_checked(tmp_path: Path, text: str, message: str) -> None:
    found = problems_of(write_project(tmp_path, {}, project_file=text))
    assert len(found) == 1
    assert found[0].startswith("keystroke.toml: ")
    assert message in found[0]


def test_without_a_project_file_it_says_how_to_make_one(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == [
        "keystroke.toml: the file is not there; `keystroke init` makes a project"
    ]


def test_the_message_lists_every_problem_on_a_line(tmp_path: Path) -> None:
    with pytest.raises(ProjectErrors) as refused:
        load_project(tmp_path)
    assert str(refused.value).splitlines() == [
        f"The project in {tmp_path} cannot be loaded:",
        "- keystroke.toml: the file is not there; `keystroke init` makes a project",
    ]


def test_the_digest_is_that_of_the_code_alone(tmp_path: Path) -> None:
    def digest(name: str, extra: dict[str, str]) -> str:
        return load_project(write_project(tmp_path / name, GOOD | extra)).manifest.digest

    same = digest("a", {})
    for number, extra in enumerate([
        {"tests/test_it.py": "1"}, {"README.md": "1"}, {".venv/lib/x.py": "1"}, {"env/pyvenv.cfg": "", "env/x.py": "1"},
        {"workflows/__pycache__/x.pyc": "1"}, {".keystroke/x.py": "1"},
    ]):  # fmt: skip
        assert digest(f"same{number}", extra) == same
    for number, extra in enumerate([
        {"workflows/prompt.txt": "1"}, {"more/lib.py": "1"}, {"_voice.py": "louder = str.title\n"},
    ]):  # fmt: skip
        assert digest(f"other{number}", extra) != same


def test_the_git_commit_is_published_where_there_is_one(tmp_path: Path) -> None:
    write_project(tmp_path, GOOD)
    assert load_project(tmp_path).manifest.git_commit is None
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    head = subprocess.run(
        ["git", "-C", tmp_path, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    assert load_project(tmp_path).manifest.git_commit == head.stdout.strip()
    (tmp_path / "_voice.py").write_text("louder = str.title\n")
    assert load_project(tmp_path).manifest.git_commit == head.stdout.strip() + "-dirty"
