"""The quickstart is what newcomers copy: it loads, and its own tests pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from keystroke.authoring.project import load_project

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"


def test_it_loads() -> None:
    project = load_project(QUICKSTART)
    assert set(project.workflows) == {"signup-pipeline", "long-report", "charge-card"}
    assert {slug: each.kind for slug, each in project.sources.items()} == {
        "signups": "webhook",
        "weekly-report": "schedule",
        "new-leads": "poll",
    }
    assert project.manifest.workflows["signup-pipeline"].description.startswith("Research a signup")


def test_its_own_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=QUICKSTART, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
