"""Queues and priorities: which workers take a run, and which run they take first."""

from keystroke import Context, workflow


@workflow("nightly-report", name="Nightly report", queue="reports", priority=-5)
def nightly_report(ctx: Context) -> str:
    """Taken by workers that serve the queue `reports`, after everything that is more urgent."""
    return f"report of {ctx.now():%A}"


@workflow("fire-alarm", name="Fire alarm", priority=10)
def fire_alarm() -> str:
    """Before everything else that waits."""
    return "everybody is out"
