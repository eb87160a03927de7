"""The only place that knows SQL. Reads take a `Scope` and a `Tx`; writes are guarded and say whether they won."""

from keystroke.store.database import Database, Tx

__all__ = ["Database", "Tx"]
