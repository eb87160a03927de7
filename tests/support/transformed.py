"""A project with triggers, whose runs are made attempt by attempt in the test's own process, on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from keystroke import ids
from keystroke.authoring.project import load_project
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.settings import Settings
from keystroke.store import Database, deliveries, sources
from keystroke.store.deliveries import NewDelivery
from support.attempts import PREAMBLE, Rig
from support.projects import write_project

_WORDS = """\
from pydantic import BaseModel, SecretStr
from keystroke import Concurrency, RateLimit, Request, Tick, poll, schedule, webhook
from keystroke.verify import open_endpoint

"""


class TriggeredRig(Rig):
    """A rig whose sources can bring something."""

    def bring(self, slug: str, payload: Any, workflow: str | None = None, **event: Any) -> str:
        """An event of a source, and the run that it starts; of several attachments name one."""
        stage = self.stage
        with self.database.transaction() as tx:
            source = sources.of_slug(tx, stage.project.id, slug)
            assert source is not None
            made = SourceEvent(**{"id": ids.new("dlv"), **event})
            wanted = wishes(source, payload, workflow)
            (started,) = start_attached(tx, stage.project, made, wanted, self.settings, stage.box)
        return started.run_id

    def deliver(self, slug: str, headers: dict[str, str]) -> str:
        """Record a delivery; its id."""
        delivery_id = ids.new("dlv")
        with self.database.transaction() as tx:
            source = sources.of_slug(tx, self.stage.project.id, slug)
            assert source is not None
            deliveries.insert_delivery(tx, NewDelivery(
                delivery_id, self.stage.project.id, slug, source.id, [slug], "POST", "application/json", "192.0.2.1",
                headers, {"page": "2"}, 2, b"{}", "fired", 202,
            ))  # fmt: skip
        return delivery_id


MakeTriggered = Callable[..., TriggeredRig]


@pytest.fixture
def make_triggered(database: Database, settings: Settings, tmp_path: Path) -> Iterator[MakeTriggered]:
    """Makes a rig from the text of one module with workflows and sources; again, from a later version of it."""
    made: list[TriggeredRig] = []

    def make(source: str) -> TriggeredRig:
        text = PREAMBLE + _WORDS + dedent(source)
        directory = write_project(tmp_path / f"version{len(made)}", {"triggers/all.py": text})
        made.append(TriggeredRig(database, settings, load_project(directory)))
        return made[-1]

    yield make
    for rig in made:
        rig.database.close()
