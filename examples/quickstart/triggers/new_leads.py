"""Looks every ten seconds for lines that were added to new_leads.jsonl, and starts a run for each."""

import json
from pathlib import Path

from keystroke import PollResult, poll
from pydantic import BaseModel

from leads import Signup
from workflows.signup_pipeline import signup_pipeline

LEADS = Path(__file__).parent.parent / "new_leads.jsonl"


class Cursor(BaseModel):
    lines: int


@poll("new-leads", every="10s", state=Cursor)
def new_leads(state: Cursor | None) -> PollResult[Signup]:
    """What was added since the last look. The cursor and the runs are recorded together, so no line is lost or taken twice."""
    seen = state.lines if state else 0
    lines = LEADS.read_text(encoding="utf-8").splitlines() if LEADS.exists() else []
    found = [Signup(**json.loads(line)) for line in lines[seen:] if line.strip()]
    return PollResult(payloads=found, state=Cursor(lines=len(lines)))


new_leads.attach(signup_pipeline)
