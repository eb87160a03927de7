"""Which server a command means: the one that is named, else the local one that runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from keystroke.cli.refusals import NoProfile, NoTarget
from keystroke.cli.target import Target, find_target
from keystroke.client.workspace import ServerAddress, Workspace, find_project_directory, read_project_slug

_URL = "http://127.0.0.1:3002"


@contextmanager
def running(directory: Path) -> Iterator[None]:
    """What a running `keystroke dev` of this project leaves: its address, and a lock that it holds."""
    workspace = Workspace(directory)
    workspace.make_state()
    workspace.write_address(ServerAddress(_URL, os.getpid()))
    descriptor = os.open(workspace.lock_file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_a_url_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_target("https://keystroke.example.com/", tmp_path) == Target("https://keystroke.example.com")


@pytest.mark.parametrize("wanted", [None, "local"])
def test_the_running_server_is_found_from_below_the_project(tmp_path: Path, wanted: str | None) -> None:
    below = tmp_path / "workflows" / "billing"
    below.mkdir(parents=True)
    with running(tmp_path):
        assert find_target(wanted, below) == Target(_URL, tmp_path)
    with pytest.raises(NoTarget):
        find_target(wanted, below)


def test_an_address_that_cannot_be_read_names_no_server(tmp_path: Path) -> None:
    with running(tmp_path):
        Workspace(tmp_path).address_file.write_text("{", encoding="utf-8")
        with pytest.raises(NoTarget):
            find_target(None, tmp_path)


def test_there_are_no_profiles_yet(tmp_path: Path) -> None:
    with running(tmp_path), pytest.raises(NoProfile, match="There is no profile cloud"):
        find_target("cloud", tmp_path)


def test_half_a_url_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="begins with http"):
        find_target("localhost:3002", tmp_path)


def test_in_a_checkout_the_example_is_the_project(tmp_path: Path) -> None:
    example = tmp_path / "examples" / "quickstart"
    example.mkdir(parents=True)
    (example / "keystroke.toml").write_text('project = "quickstart"\n', encoding="utf-8")
    assert find_project_directory(tmp_path) is None
    (tmp_path / "platform" / "keystroke").mkdir(parents=True)
    assert find_project_directory(tmp_path) == example
    assert find_project_directory(tmp_path / "platform") == example
    with running(example):
        assert find_target(None, tmp_path) == Target(_URL, example)
    (tmp_path / "keystroke.toml").write_text("", encoding="utf-8")
    assert find_project_directory(tmp_path / "platform") == tmp_path


def test_the_slug_of_a_project(tmp_path: Path) -> None:
    assert read_project_slug(tmp_path) == ""
    (tmp_path / "keystroke.toml").write_text('project = "billing"\n', encoding="utf-8")
    assert read_project_slug(tmp_path) == "billing"
