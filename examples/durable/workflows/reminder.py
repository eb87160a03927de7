"""Sleeping: the run holds no worker meanwhile, for a second or for a year."""

from keystroke import Context, action, workflow
from pydantic import BaseModel


class Reminders(BaseModel):
    whom: str = "Ada"
    pause: str = "1d"


@action
def remind(whom: str, number: int) -> str:
    print(f"Dear {whom}, this is reminder {number}.")
    return f"reminder {number} to {whom}"


@workflow("reminder", name="Reminder")
def reminder(reminders: Reminders, ctx: Context) -> list[str]:
    """Remind somebody three times, with a pause in between."""
    sent = [remind(reminders.whom, 1)]
    for number in (2, 3):
        ctx.sleep(reminders.pause)
        sent.append(remind(reminders.whom, number))
    return sent
