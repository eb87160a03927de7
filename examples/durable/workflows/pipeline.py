"""Three steps, of which the last fails on a bad day: replay it from there, and the first two are not executed again."""

from keystroke import Context, action, workflow
from pydantic import BaseModel


class Batch(BaseModel):
    rows: int = 3
    broken: bool = False


@action
def extract(rows: int) -> list[int]:
    return list(range(rows))


@action
def transform(rows: list[int]) -> list[int]:
    return [row + 1 for row in rows]


@action
def load(rows: list[int], broken: bool) -> int:
    if broken:
        raise RuntimeError("the warehouse is closed")
    return sum(rows)


@workflow("pipeline", name="Pipeline")
def pipeline(batch: Batch, ctx: Context) -> int:
    """Extract, transform, load."""
    return load(transform(extract(batch.rows)), batch.broken)
