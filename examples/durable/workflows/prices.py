"""Many calls at once inside of one run: `ctx.map` in a plain workflow, `asyncio.gather` in an async one."""

import asyncio

from keystroke import AsyncContext, Context, action, workflow


@action(retries=2)
def look_up_price(article: str) -> int:
    return 100 * len(article)


@action(retries=2)
async def look_up_stock(article: str) -> int:
    await asyncio.sleep(0)
    return len(article)


@workflow("prices", name="Price list")
def prices(articles: list[str], ctx: Context) -> dict[str, int]:
    """Each call is a step, in a thread of its own; the results come in order."""
    found = ctx.map(look_up_price, articles, concurrency=4)
    return dict(zip(articles, found, strict=True))


@workflow("stock", name="Stock")
async def stock(articles: list[str], ctx: AsyncContext) -> int:
    """Each task is a branch of its own, however they happen to end."""
    return sum(await asyncio.gather(*(look_up_stock(article) for article in articles)))
