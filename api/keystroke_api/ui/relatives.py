"""Where a run comes from, and what came out of it: parent, root, the run that it replays; children and replays."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from keystroke.domain.run import Run
from keystroke.operations.api_keys import Principal
from keystroke.store import history, lineage
from keystroke_api.services import services
from keystroke_api.ui.contexts import Relative, Relatives
from keystroke_api.ui.run_rows import run_row

#: Children, and replays, that a page lists: the overview some, the tab that is about them more.
FEW: Final = 5
MANY: Final = 50


def relatives_of(caller: Principal, record: dict[str, Any], most: int) -> Relatives:
    """The relatives of a run's record, at most so many of each kind."""
    above = {
        "Parent": record["parent_run_id"],
        "Root": record["root_run_id"],
        "Replay of": record["replay_of"],
    }
    above = {
        kind: run_id
        for kind, run_id in above.items()
        if run_id is not None
        and run_id != record["id"]
        and (kind, run_id) != ("Root", record["parent_run_id"])
    }
    run_id = record["id"]
    with services().database.read() as tx:
        known = {
            run.id: run for run in history.list_runs_by_id(caller.scope, tx, sorted(set(above.values())))
        }
        children = lineage.list_children(caller.scope, tx, run_id, most)
        replays = lineage.list_replays(caller.scope, tx, run_id, most)
    return Relatives(
        above=[_relative(kind, each, known.get(each)) for kind, each in above.items()],
        children=[_relative("Child", run.id, run, children.steps[run.id] or "") for run in children.runs],
        children_total=children.total, children_url=f"/history?parent={run_id}",
        replays=[_relative("Replay", run.id, run) for run in replays.runs], replays_total=replays.total,
        replays_url=f"/history?trigger={quote(f'replay:{run_id}')}",
    )  # fmt: skip


def _relative(kind: str, run_id: str, run: Run | None, step: str = "") -> Relative:
    return Relative(kind, run_id, f"/history/{run_id}", None if run is None else run_row(run), step)
