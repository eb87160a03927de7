"""Suspended runs of a target, rehearsed with the code that lies here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keystroke.authoring.project import LoadedProject
from keystroke.box import Box
from keystroke.cli.target import Target
from keystroke.client import Client
from keystroke.client.workspace import Workspace
from keystroke.domain.recorded_run import RecordedRun
from keystroke.errors import RequestRefused, SecretUnreadable
from keystroke.execution.rehearsal import Matches, rehearse
from keystroke.settings import Settings

_SUSPENDED: Final = ["sleeping", "waiting_on_hook", "queued"]
_PAGE: Final = 200
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Checked:
    """How many runs were rehearsed, and of each that does not match: run, workflow, status, step and message.

    `verdict` is `mismatch`, or `unchecked` where the run's secrets cannot be opened here.
    """

    count: int
    rows: list[dict[str, Any]]

    @property
    def sentence(self) -> str:
        """What there is to say in one line."""
        if not self.count:
            return "no run that has started is suspended"
        unchecked = sum(row["verdict"] == "unchecked" for row in self.rows)
        fitting, others = self.count - len(self.rows), len(self.rows) - unchecked
        told = [f"{fitting} {'fits' if fitting == 1 else 'fit'} this code"]
        if others:
            told.append(f"{others} {'does' if others == 1 else 'do'} not")
        if unchecked:
            told.append(f"{unchecked} could not be checked")
        return f"{self.count} suspended run{'' if self.count == 1 else 's'}: {', '.join(told)}"


def rehearse_suspended(client: Client, project: LoadedProject, box: Box | None) -> Checked:
    """Rehearse every suspended run of the project; nothing is written, and no action's body runs."""
    rows, count = [], 0
    for run in _suspended(client, project.project):
        try:
            recorded = RecordedRun.from_json(client.get_journal(run["id"]))
        except RequestRefused as error:
            if error.status == _NOT_FOUND:
                continue  # it has gone meanwhile
            raise
        count += 1
        found = _rehearsed(project, recorded, box)
        if found is not None:
            rows.append({"id": run["id"], "workflow": run["workflow"], "status": run["status"], **found})
    return Checked(count, rows)


def secret_box(directory: Path, target: Target) -> Box | None:
    """The box of the configured secret key, else that of the local `keystroke dev`; None where there is neither."""
    keys = Settings.load(directory=directory).secret_key
    if not keys and target.project_directory is not None:
        path = Workspace(target.project_directory).state / "secret-key"
        keys = (path.read_text(encoding="utf-8").strip(),) if path.is_file() else ()
    return Box(keys) if keys else None


def _suspended(client: Client, project: str) -> Iterator[dict[str, Any]]:
    """Runs that have started and rest. They are found by their code version: one that has not started has none."""
    pinned = [each["id"] for each in client.list_deployments(project) if each["active_runs"]]
    filters: dict[str, Any] = {"project": [project], "status": _SUSPENDED, "deployment": pinned}
    cursor = None
    while pinned:
        page = client.list_page(filters, limit=_PAGE, cursor=cursor)
        yield from page["data"]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            return


def _rehearsed(project: LoadedProject, recorded: RecordedRun, box: Box | None) -> dict[str, Any] | None:
    """What does not match; None where everything does."""
    try:
        verdict = rehearse(project, recorded, box)
    except SecretUnreadable as error:
        return {"verdict": "unchecked", "step": None, "message": str(error)}
    if isinstance(verdict, Matches):
        return None
    return {"verdict": "mismatch", "step": verdict.step, "message": verdict.message}
