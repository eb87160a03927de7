"""The events of a run are numbered: a reader that knows the last number it saw is sent exactly the rest.

`runs.events` is the number of the run's newest event. Transitions and log lines have a number each; a step and the progress,
which are states, have that of their latest change. What is there already is numbered by its time.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS: Final = (
    "alter table runs add column events integer not null default 0",
    "alter table runs add column progress_event integer",
    "alter table transitions add column event integer not null default 0",
    "alter table steps add column event integer not null default 0",
    "alter table logs add column event integer not null default 0",
)
# A run's row is rewritten with each of its events: with room on its page, no index has to learn of it.
_ROOM: Final = "alter table runs set (fillfactor = 80)"

# By time; log lines and transitions in the order of their writing, whatever their times say. What ended a run is told last.
_NUMBERED: Final = """
create temporary table numbered as
select kind, run_id, item, row_number() over (partition by run_id order by at, kind, id) as event from (
    select 1 as kind, run_id, cast(id as text) as item, max(at) over (partition by run_id order by id) as at, id from logs
    union all select 2, run_id, identity, coalesce(finished_at, started_at), 0 from steps
    union all select 3, id, '', progress_at, 0 from runs where progress_at is not null
    union all select 4, run_id, cast(id as text), max(at) over (partition by run_id order by id), id from transitions
) told
"""
_NUMBERS: Final = (
    "create index numbered_items on numbered (run_id, kind, item)",
    """update logs set event = numbered.event from numbered
        where numbered.run_id = logs.run_id and kind = 1 and item = cast(logs.id as text)""",
    """update steps set event = numbered.event from numbered
        where numbered.run_id = steps.run_id and numbered.kind = 2 and item = steps.identity""",
    """update runs set progress_event = numbered.event from numbered
        where numbered.run_id = runs.id and numbered.kind = 3""",
    """update transitions set event = numbered.event from numbered
        where numbered.run_id = transitions.run_id and kind = 4 and item = cast(transitions.id as text)""",
    """update runs set events = newest.event
        from (select run_id, max(event) as event from numbered group by run_id) newest where newest.run_id = runs.id""",
    "drop table numbered",
)


def upgrade() -> None:
    """Add the numbers, and give them to what is there."""
    connection = op.get_bind()
    room = (_ROOM,) if connection.dialect.name == "postgresql" else ()
    for statement in (*_COLUMNS, *room, _NUMBERED, *_NUMBERS):
        connection.exec_driver_sql(statement)
