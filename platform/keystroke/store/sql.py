"""Statements written once for SQLite and PostgreSQL.

`:name` is a parameter, and these words stand for what the two databases write differently:

    {now}          the database's clock in microseconds since 1970, the one clock of all decisions
    {for_update}   lock the row for writing until the transaction ends (SQLite: the write transaction is the lock)
    {skip_locked}  and pass over rows that somebody else has locked
    {in:name}      is one of the values of the list parameter `name`
    {not_in:name}  is none of them
    {each:column}  the texts of the JSON list in a column, as rows to be compared with by `in`
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final, Literal

Backend = Literal["sqlite", "postgresql"]

#: A sub-select, so that it is evaluated once per statement and may be compared with an indexed column.
NOW: Final = "(select keystroke_now())"
_WORDS: Final[dict[Backend, dict[str, str]]] = {
    "sqlite": {"now": NOW, "for_update": "", "skip_locked": ""},
    "postgresql": {
        "now": NOW, "for_update": "for update", "skip_locked": "skip locked",
    },
}  # fmt: skip
_LISTS: Final[dict[Backend, dict[str, str]]] = {
    "sqlite": {
        "in": "in (select value from json_each(:{0}))", "not_in": "not in (select value from json_each(:{0}))",
    },
    "postgresql": {"in": "= any(:{0})", "not_in": "<> all(:{0})"},
}  # fmt: skip
_LIST: Final = re.compile(r"\{(in|not_in):(\w+)\}")
_EACH_OF: Final[dict[Backend, str]] = {
    "sqlite": "(select value from json_each({0}))",
    "postgresql": "(select jsonb_array_elements_text(cast({0} as jsonb)))",
}
_EACH: Final = re.compile(r"\{each:([\w.]+)\}")
_WORD: Final = re.compile(r"\{(\w+)\}")
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")


class Sql:
    """One statement; `for_backend` gives its text for the driver."""

    def __init__(self, text: str) -> None:
        """Keep the text as written; it is rendered at its first use."""
        self.text = text

    def __repr__(self) -> str:
        """The text as written."""
        return f"Sql({self.text!r})"

    def for_backend(self, backend: Backend) -> str:
        """The text that the backend's driver takes."""
        return self._postgresql if backend == "postgresql" else self._sqlite

    @cached_property
    def _sqlite(self) -> str:
        return self._with_words("sqlite")

    @cached_property
    def _postgresql(self) -> str:
        text = self._with_words("postgresql").replace("%", "%%")
        return _PARAMETER.sub(r"%(\1)s", text)

    def _with_words(self, backend: Backend) -> str:
        lists, words = _LISTS[backend], _WORDS[backend]
        text = _LIST.sub(lambda match: lists[match[1]].format(match[2]), self.text)
        text = _EACH.sub(lambda match: _EACH_OF[backend].format(match[1]), text)
        return _WORD.sub(lambda match: words[match[1]], text)


class Guarded:
    """A guarded update, and inserts that happen only if it won: one statement and round trip on PostgreSQL.

    The update returns `id` and whatever its caller wants; each insert selects from `{moved}`, the rows that were updated.
    SQLite, which has no inserts inside a query, executes them one after the other in the same transaction.
    """

    def __init__(self, update: str, inserts: tuple[str, ...]) -> None:
        """Prepare both forms."""
        names = [f"inserted{at}" for at in range(len(inserts))]
        parts = [f"moved as ({update})"]
        parts += [
            f"{name} as ({insert.replace('{moved}', 'moved')})"
            for name, insert in zip(names, inserts, strict=True)
        ]
        self.combined: Final = Sql(f"with {', '.join(parts)} select * from moved")
        self.update: Final = Sql(update)
        rows = "(select * from runs where id {in:moved_ids}) moved"
        self.inserts: Final = tuple(Sql(insert.replace("{moved}", rows)) for insert in inserts)


class HeldInsert:
    """An update that takes hold of a row, and the insert (or update) that happens only if it did: one statement on PostgreSQL.

    The insert selects from `{held}`, the row after the update. SQLite executes them one after the other: see
    `Database.held`.
    """

    def __init__(self, hold: str, insert: str) -> None:
        """Prepare both forms."""
        self.combined: Final = Sql(f"with held as ({hold}) {insert.replace('{held}', 'held')}")
        self.hold: Final = Sql(hold)
        self.insert: Final = Sql(insert.replace("{held}", "(select * from runs where id = :run_id) held"))
