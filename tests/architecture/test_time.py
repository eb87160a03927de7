"""One clock decides: the database's, through one expression. A host whose clock is off must change nothing."""

from __future__ import annotations

import ast
import re

from support.sources import Source, calls, sources, texts

_SQL_CLOCK = re.compile(
    r"\b(now\(\)|current_time(stamp)?\b|clock_timestamp|statement_timestamp|strftime\(|'now')", re.IGNORECASE
)
_PYTHON_CLOCKS = {"now", "utcnow", "today", "time", "time_ns"}
#: Where the clocks are made: SQLite's function, PostgreSQL's function.
_MAKERS = ("store/database.py", "store/migrations/")
#: What decides about due, dead, expired; commands and logs may look at the machine's clock.
_DECIDING = (
    "platform/keystroke/domain", "platform/keystroke/store", "platform/keystroke/operations", "platform/keystroke/broker",
    "worker/keystroke_worker", "beat/keystroke_beat", "api/keystroke_api",
)  # fmt: skip


def test_sql_takes_the_time_from_the_stores_one_expression() -> None:
    found = [
        f"{source.at(node)}: {match[0]}"
        for source in sources()
        if not _makes_the_clock(source)
        for node, text in texts(source)
        if (match := _SQL_CLOCK.search(text.replace("keystroke_now()", ""))) and _looks_like_sql(text)
    ]
    assert found == []


def test_nothing_that_decides_reads_the_clock_of_its_host() -> None:
    found = [
        f"{source.at(call)}: {ast.unparse(call)}"
        for source in sources(*_DECIDING)
        if not _makes_the_clock(source)
        for name, call in calls(source)
        if name in _PYTHON_CLOCKS and _is_a_clock(call)
    ]
    assert found == []


def _makes_the_clock(source: Source) -> bool:
    return any(maker in source.path for maker in _MAKERS)


def _looks_like_sql(text: str) -> bool:
    return re.search(r"\b(select|insert|update|delete|where|set)\b", text, re.IGNORECASE) is not None


def _is_a_clock(call: ast.Call) -> bool:
    owner = ast.unparse(call.func).rpartition(".")[0]
    return owner.split(".")[-1] in ("datetime", "date", "time")
