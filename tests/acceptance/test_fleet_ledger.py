"""A whole fleet under load: every run that was accepted succeeds, and each of its steps was executed once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from keystroke.settings import Settings
from support.fleet import Fleet, start_fleet
from support.ledger import STEPS, open_ledger
from support.processes import Processes

_CLIENTS = 4
_RUNS_EACH = 500


@pytest.mark.timeout(400)
def test_two_thousand_runs_on_a_fleet_execute_each_step_once(
    postgresql_settings: Settings, broker_url: str, processes: Processes, tmp_path: Path
) -> None:
    ledger = open_ledger(tmp_path)
    settings = replace(postgresql_settings, broker_url=broker_url, project="shop", organization="acme")
    fleet = start_fleet(
        processes, settings, ledger.project, apis=2, workers=3, beats=2, variables=ledger.variables
    )
    with ThreadPoolExecutor(_CLIENTS) as clients:
        started = [
            run_id
            for ids in clients.map(lambda client: _start_runs(fleet, client), range(_CLIENTS))
            for run_id in ids
        ]
    assert len(set(started)) == _CLIENTS * _RUNS_EACH

    assert fleet.wait_for_ends(len(started), timeout=240) == {"success": len(started)}
    counts = ledger.counts()
    assert set(counts) == {(run_id, step) for run_id in started for step in STEPS}
    assert Counter(counts.values()) == {1: len(started) * len(STEPS)}

    for process in fleet:
        assert process.stop() == 0, process.output
    processes.assert_none_left()


def _start_runs(fleet: Fleet, client: int) -> list[str]:
    """One client after another run, at its own API."""
    url = fleet.urls[client % len(fleet.urls)]
    with httpx.Client(timeout=30) as http:
        return [fleet.start_run(http, url, "shop", "order", {"number": n}) for n in range(_RUNS_EACH)]
