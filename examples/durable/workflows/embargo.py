"""Sleeping until a time."""

from keystroke import Context, action, workflow
from pydantic import AwareDatetime, BaseModel


class Release(BaseModel):
    title: str
    at: AwareDatetime


@action
def publish(title: str) -> str:
    return f"{title} is out"


@workflow("embargo", name="Embargo")
def embargo(release: Release, ctx: Context) -> str:
    """Publish at the time given; at once where that has passed."""
    ctx.sleep_until(release.at)
    return publish(release.title)
