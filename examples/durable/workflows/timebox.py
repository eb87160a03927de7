"""A bound for the time that a run works, all attempts together; sleeping does not count."""

import time

from keystroke import Context, action, workflow
from pydantic import BaseModel


class Survey(BaseModel):
    rooms: int = 100
    seconds_per_room: float = 0.2


@action
def measure_room(number: int, seconds: float) -> int:
    time.sleep(seconds)
    return number


@workflow("survey", name="Survey", timeout="2s")
def survey(task: Survey, ctx: Context) -> int:
    """More rooms than two seconds allow: it ends as failed, by timeout, and cleans up."""
    try:
        for number in range(task.rooms):
            measure_room(number, task.seconds_per_room)
    finally:
        print("The ladder is put away.")
    return task.rooms
