"""How many runs go on at once, by a key of their input, and how many begin in a while."""

from keystroke import Concurrency, Context, RateLimit, action, workflow
from pydantic import BaseModel


class Import(BaseModel):
    customer: str
    pause: str = "1s"


@action
def copy_rows(customer: str) -> str:
    return f"rows of {customer}"


@workflow("import-rows", name="Import", concurrency=Concurrency(1, key="{input.customer}", policy="queue"))
def import_rows(task: Import) -> str:
    """One at a time for each customer; the others wait in the queue."""
    return copy_rows(task.customer)


@workflow("sync", name="Sync", concurrency=Concurrency(1, key="{input.customer}", policy="skip"))
def sync(task: Import, ctx: Context) -> str:
    """While one is under way for a customer, another one is not needed: it is canceled."""
    ctx.sleep(task.pause)
    return copy_rows(task.customer)


@workflow("preview", name="Preview", concurrency=Concurrency(1, key="{input.customer}", policy="replace"))
def preview(task: Import, ctx: Context) -> str:
    """Only the newest counts: it takes the place of the one that is under way."""
    ctx.sleep(task.pause)
    return copy_rows(task.customer)


@workflow("newsletter", name="Newsletter", rate_limit=RateLimit(2, per="2s"))
def newsletter(task: Import) -> str:
    """Two begin at once, and then one each second: the others wait for their time."""
    return copy_rows(task.customer)
