"""A ledger outside of the platform: what a project's actions really did, and how often, whatever the platform believes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from support.projects import write_project

#: A project with one workflow of three steps, each of which writes a line into the ledger.
_PROJECT = {
    "ledger.py": """
        import os
        import sqlite3
        from contextlib import closing


        def write(run_id: str, step: str) -> None:
            with closing(sqlite3.connect(os.environ["LEDGER"], timeout=60, isolation_level=None)) as book:
                book.execute("insert into lines (run_id, step) values (?, ?)", (run_id, step))
    """,
    "workflows/order.py": """
        from keystroke import Context, action, workflow
        from pydantic import BaseModel

        import ledger


        class Order(BaseModel):
            number: int


        @action
        def reserve(run_id: str, number: int) -> int:
            ledger.write(run_id, "reserve")
            return number + 1


        @action
        def charge(run_id: str, number: int) -> int:
            ledger.write(run_id, "charge")
            return number * 2


        @action
        def ship(run_id: str, number: int) -> int:
            ledger.write(run_id, "ship")
            return number


        @workflow("order")
        def order(order: Order, ctx: Context) -> int:
            reserved = reserve(ctx.run_id, order.number)
            charged = charge(ctx.run_id, reserved)
            return ship(ctx.run_id, charged)
    """,
}
STEPS = ("reserve", "charge", "ship")


@dataclass(frozen=True)
class Ledger:
    """The project's directory and the file that its actions write to."""

    project: Path
    path: Path

    @property
    def variables(self) -> dict[str, str]:
        """What a worker's environment needs."""
        return {"LEDGER": str(self.path)}

    def counts(self) -> dict[tuple[str, str], int]:
        """How often each step of each run was executed, by (run id, step)."""
        with closing(sqlite3.connect(self.path)) as book:
            rows = book.execute("select run_id, step, count(*) from lines group by run_id, step").fetchall()
        return {(run_id, step): count for run_id, step, count in rows}


def open_ledger(directory: Path) -> Ledger:
    """An empty ledger and its project, below the directory."""
    ledger = Ledger(directory / "shop", directory / "ledger.db")
    write_project(ledger.project, _PROJECT)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as book:
        book.execute("pragma journal_mode = wal")
        book.execute("create table lines (run_id text not null, step text not null)")
    return ledger
