"""compose.yaml, read as data: what it starts exists, nothing has a default password, everything may drain."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from keystroke.cli.main import main
from keystroke.settings import PREFIX, Settings
from support.sources import ROOT

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = ("migrate", "api", "worker", "beat")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_fleet_is_complete() -> None:
    assert set(SERVICES) == {"postgres", "redis", *OURS}
    assert {name: SERVICES[name]["deploy"]["replicas"] for name in ("api", "worker", "beat")} == {
        "api": 2, "worker": 2, "beat": 2,
    }  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_its_command_is_one_of_ours(name: str) -> None:
    assert main([*SERVICES[name]["command"], "--help"]) == 0


@pytest.mark.parametrize("name", OURS)
def test_its_variables_are_settings(name: str) -> None:
    known = {PREFIX + setting.upper() for setting in Settings.__slots__}
    assert set(SERVICES[name]["environment"]) <= known


def test_every_variable_is_required_and_has_no_default() -> None:
    variables = re.findall(r"\$\{(\w+)([^}]*)\}", TEXT)
    assert variables
    assert [name for name, rest in variables if not rest.startswith(":?")] == []


def test_the_example_names_every_variable_and_gives_no_value() -> None:
    example = dict(
        re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(example) == set(re.findall(r"\$\{(\w+)", TEXT))
    assert set(example.values()) == {""}


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_it_is_started_again_when_it_ends(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["api", "worker", "beat"])
def test_it_has_longer_to_stop_than_it_needs_to_drain(name: str) -> None:
    grace = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace >= Settings().drain_grace + Settings().cancel_grace + 5


@pytest.mark.parametrize("name", ["api", "worker", "beat"])
def test_it_waits_for_the_schema(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", ["postgres", "redis", "api", "worker", "beat"])
def test_its_health_is_looked_at(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_redis_keeps_its_data() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"


@pytest.mark.parametrize("name", OURS)
def test_its_image_has_that_target(name: str) -> None:
    assert re.search(rf"^FROM .* AS {SERVICES[name]['build']['target']}$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_not_roots() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    assert [re.findall(r"^USER (\w+)", stage, re.MULTILINE)[-1] for stage in stages[2:]] == [
        "keystroke",
        "keystroke",
    ]


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
        if not word.startswith("$")
    }
    assert copied <= sent
    assert [name for name in sent if not (ROOT / name).exists()] == []
