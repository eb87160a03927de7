"""The statements of the claim: each queue of the worker is read along its own part of the index, best first.

The index `runs_to_claim` is (project, queue, priority descending, queued_at), of what is queued and not parked. So what waits
in queues of other workers is not read, nor what waits in a queue that is paused. Of one queue PostgreSQL takes the first that
nobody else has locked. Of several the first few of each are merged, and of these the first is taken that nobody else has
locked. On SQLite, where nobody else writes meanwhile, the first of each queue are enough.

A statement is written for a number of queues, which are parameters of their own, and with the look for ticks only for a
worker that has polls: the fewest words are planned and executed fastest, which is felt here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from keystroke.domain.states import CLAIM
from keystroke.store.limits import RUNNING
from keystroke.store.runs import TRANSITION_OF_MOVED
from keystroke.store.sql import Guarded, Sql
from keystroke.store.tick_claims import CLAIMABLE as TICK_CLAIMABLE

#: So many of the best of each queue are looked at for one that nobody else is about to take. With many more PostgreSQL takes
#: a plan for dear that it could keep, and makes one anew for each claim, which costs more than the claim.
PEEKED: Final = 8

# A run that has started belongs to the code it started with: workers of its deployment while one is alive and serves its queue,
# else workers of the current deployment. One that has not started may have any code that has its workflow, or
# the transform that it is behind; where even the current code has not, a worker of that takes it, to say so.
_CLAIMABLE: Final = """
    status = 'queued' and parked_on is null and project_id = :project_id and queue = <queue> and due_at <= {now}
    and (concurrency_key is null or concurrency_key {not_in:keys})
    and (rate_key is null or attempt > admitted_after or rate_key {not_in:rates})
    and (deployment_id = :deployment_id
        or deployment_id is null and (cast(:has_all as integer) = 1 or coalesce(behind_transform, workflow) {in:workflows})
        or exists (select 1 from projects where projects.id = :project_id and current_deployment_id = :deployment_id)
        and (deployment_id is null or not exists (select 1 from workers where workers.deployment_id = runs.deployment_id
                        and workers.state = 'alive' and workers.queues like '%"' || runs.queue || '"%')))
"""
_IS_OPEN: Final = """not exists (
    select 1 from queues where queues.project_id = :project_id and queues.name = <queue> and queues.paused_at is not null)
"""
_ONE: Final = ":queue_0"
_EACH: Final = "open_queue.name"
_FIRST: Final = "order by priority desc, queued_at"
_OPEN_QUEUES: Final = f"""
own_queue (name) as (values <queues>),
open_queue as materialized (select name from own_queue where {_IS_OPEN.replace("<queue>", "own_queue.name")})
"""
# Its limits beside it: a run that has begun before does not count again in its rate.
_CANDIDATE: Final = """
    runs.id as candidate_id, concurrency_key as candidate_key,
    case when attempt = admitted_after then rate_key end as candidate_rate,
    rate_limit as candidate_rate_limit, rate_per_us as candidate_rate_per_us
"""
_TAKEN: Final = """
    status_reason = null, attempt = attempt + 1, worker_id = :worker_id,
    deployment_id = :deployment_id, started_at = coalesce(started_at, {now}), updated_at = {now}, due_at = null,
    events = events + 1
"""
_LEASED: Final = """
    id, attempt, events, project_id, worker_id, workflow, queue, admitted_at, seed, trace_id, parent_span_id, trigger_type,
    trigger_label, trigger_value, trigger_id, fired_at, scheduled_at, previous_fire_at, missed, behind_transform,
    concurrency_key, concurrency_limit, rate_key, rate_limit,
    actor_type, actor_id, actor_name, tags, failures, max_attempts, retry, parent_run_id, root_run_id, started_at,
    active_us, cancel_requested_at, timeout_us, budget_nano,
    (select body from run_payloads where run_id = runs.id and name = 'input') as input,
    (select body from run_payloads where run_id = runs.id and name = 'trigger') as trigger_payload
"""
# As of one queue it is locked on its way; nothing is looked for where a tick waits.
_CANDIDATE_OF_ONE: Final = f"""
candidate as (
    select {_CANDIDATE} from runs where {_CLAIMABLE} and {_IS_OPEN} <unless tick>
    {_FIRST} limit 1 {{for_update}} {{skip_locked}})
""".replace("<queue>", _ONE)
# A run that somebody has claimed since the statement began has another attempt by now. It is looked up by its id: said as the
# index of claims says it, a plan from when little was queued would read through that whole index.
_CANDIDATE_OF_MANY: Final = f"""
{_OPEN_QUEUES},
best as materialized (
    select first_of_queue.* from open_queue cross join lateral (
        select id as best_id, attempt as best_attempt, priority as best_priority, queued_at as best_queued_at
        from runs where {_CLAIMABLE.replace("<queue>", _EACH)} <unless tick> {_FIRST} limit {PEEKED}) first_of_queue),
candidate as (
    select {_CANDIDATE} from (select * from best order by best_priority desc, best_queued_at) best
    join runs on runs.id = best_id and runs.attempt = best_attempt
    where runs.status = 'queued' and coalesce(runs.parked_on, '') = ''
    order by best_priority desc, best_queued_at limit 1 {{for_update}} of runs {{skip_locked}})
"""
_ANOTHER_OF_ONE: Final = f"""
(select 1 from runs where {_CLAIMABLE} and {_IS_OPEN} and id <> candidate_id {_FIRST} limit 1) is not null
""".replace("<queue>", _ONE)
_ANOTHER_OF_MANY: Final = "exists (select 1 from best where best_id <> candidate_id)"
_TICK: Final = f"tick as materialized (select exists (select 1 from ticks where {TICK_CLAIMABLE}) as due),"
_UNLESS_TICK: Final = "and not (select due from tick)"
# The hot path, in one round trip: a run without limits is claimed at once; one that has some is locked, to be decided on.
_LOOK: Final = f"""
with <tick> <candidate>,
moved as (
    update runs set status = '{CLAIM.target}', {_TAKEN} from candidate
    where id = candidate_id and candidate_key is null and candidate_rate is null
    returning {_LEASED}),
inserted as ({TRANSITION_OF_MOVED.replace("{moved}", "moved")})
select facts.*, candidate.*, moved.*, <another> as more
from (select <due> as tick_due, <seen> as seen) facts
left join candidate on true left join moved on moved.id = candidate_id
"""
_LOOK_ALONE: Final = f"""
with {_OPEN_QUEUES}
select {_CANDIDATE} from runs where id in (
    select (select id from runs where {_CLAIMABLE.replace("<queue>", _EACH)} {_FIRST} limit 1) from open_queue)
{_FIRST} limit 1
"""
# Runs of the key that this claim may just have filled count only while it has room. In the order of the claim, though any
# would do: so it reads along the index.
_HAS_RUN: Final = f"""(
    select 1 from runs where {_CLAIMABLE}
    and (concurrency_key is null or cast(:own_key as text) is null or concurrency_key <> :own_key
        or concurrency_limit > {RUNNING.format(project=":project_id", key=":own_key")})
    {_FIRST} limit 1) is not null"""
_MORE_OF_ONE: Final = f"select 1 where {_IS_OPEN} and {_HAS_RUN}".replace("<queue>", _ONE)
_MORE_OF_MANY: Final = f"""
with {_OPEN_QUEUES} select 1 from open_queue where {_HAS_RUN.replace("<queue>", _EACH)} limit 1
"""
#: Claim a candidate. A statement of its own, after the one that took the key's lock: it sees what earlier holders have committed.
TAKE: Final = Guarded(f"""
update runs set status = '{CLAIM.target}', {_TAKEN} where id = :run_id and status = 'queued' and parked_on is null
and (concurrency_key is null or concurrency_limit > {RUNNING.format(project="runs.project_id", key="runs.concurrency_key")})
returning {_LEASED}
""", (TRANSITION_OF_MOVED,))  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimStatements:
    """`look` finds a run and claims it (PostgreSQL), `look_alone` finds one (SQLite), `more` says whether any waits."""

    look: Sql
    look_alone: Sql
    more: Sql


@cache
def claim_statements(queues: int, *, ticks: bool) -> ClaimStatements:
    """For a worker of so many queues, whose names are the parameters `queue_0`, `queue_1`, ..., and perhaps with `ticks`."""
    names = ", ".join(f"(cast(:queue_{number} as text))" for number in range(queues))
    look = _look_of_one(ticks) if queues == 1 else _look_of_many(ticks)
    more = _MORE_OF_ONE if queues == 1 else _MORE_OF_MANY
    return ClaimStatements(*(Sql(text.replace("<queues>", names)) for text in (look, _LOOK_ALONE, more)))


def _look_of_one(ticks: bool) -> str:
    look = _LOOK.replace("<candidate>", _CANDIDATE_OF_ONE).replace("<another>", _ANOTHER_OF_ONE)
    return _with_ticks(look.replace("<seen>", "0"), ticks)


def _look_of_many(ticks: bool) -> str:
    look = _LOOK.replace("<candidate>", _CANDIDATE_OF_MANY).replace("<another>", _ANOTHER_OF_MANY)
    return _with_ticks(look.replace("<seen>", "(select count(*) from best)"), ticks)


def _with_ticks(look: str, ticks: bool) -> str:
    due = "(select due from tick)" if ticks else "false"
    for word, text in (("<tick>", _TICK), ("<unless tick>", _UNLESS_TICK)):
        look = look.replace(word, text if ticks else "")
    return look.replace("<due>", due)
