"""Deliveries: what was posted to webhooks, the keys by which one that comes again is known, and the rate at which they come."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros, to_micros
from keystroke.domain.delivery import Delivery
from keystroke.domain.scope import Scope
from keystroke.domain.source import Outcome
from keystroke.errors import DeliveryNotFound
from keystroke.store.access import find_project, list_projects
from keystroke.store.database import Tx
from keystroke.store.sql import HeldInsert, Sql

#: A list that takes longer is refused, as the list of runs is.
LONGEST_QUERY: Final = 2.0
#: Of each source so many refused deliveries are kept.
MOST_REFUSED: Final = 100
REFUSED_STATUS: Final = 401
_SLUG: Final = re.compile(r"[a-z0-9-]+\Z")
#: Tries to take a key whose holder goes away in between; each has to lose against another commit.
_MOST_TRIES: Final = 10

_INSERT: Final = """
insert into deliveries (id, project_id, endpoint, source_id, sources, received_at, method, content_type, remote_addr,
    headers, query, size, outcome, status, error, run_ids, dedupe_key, duplicate_of, replay_of)
values (:id, :project_id, :endpoint, :source_id, :sources, {now}, :method, :content_type, :remote_addr,
    :headers, :query, :size, :outcome, :status, :error, :run_ids, :dedupe_key, :duplicate_of, :replay_of)
"""
_INSERT_BARE: Final = Sql(_INSERT)
_INSERT_WHOLE: Final = HeldInsert(
    f"{_INSERT} returning id", "insert into delivery_bodies (delivery_id, body) values (:id, :body)"
)
_TAKE_KEY: Final = Sql("""
insert into delivery_keys (project_id, endpoint, key, delivery_id, expires_at)
values (:project_id, :endpoint, :key, :delivery_id, {now} + :window_us)
on conflict (project_id, endpoint, key) do update
    set delivery_id = excluded.delivery_id, expires_at = excluded.expires_at
    where delivery_keys.expires_at <= {now}
returning delivery_id
""")
_KEY_HOLDER: Final = Sql("""
select delivery_keys.delivery_id, deliveries.run_ids from delivery_keys
left join deliveries on deliveries.id = delivery_keys.delivery_id
where delivery_keys.project_id = :project_id and delivery_keys.endpoint = :endpoint and delivery_keys.key = :key
""")
_RELEASE_KEY: Final = Sql("""
delete from delivery_keys
where project_id = :project_id and endpoint = :endpoint and key = :key and delivery_id = :delivery_id
""")
_COUNT_REFUSED: Final = Sql("""
update sources set refused = refused + 1, refused_at = {now} where id = :source_id
""")
_DROP_REFUSED: Final = Sql("""
delete from deliveries where source_id = :source_id and status = 401 and id < (
    select min(id) from (
        select id from deliveries where source_id = :source_id and status = 401 order by id desc limit :most) newest)
""")
_SELECT: Final = """
select deliveries.*, projects.slug as project, sources.slug as source from deliveries
join projects on projects.id = deliveries.project_id left join sources on sources.id = deliveries.source_id
"""
_GET: Final = Sql(f"{_SELECT} where deliveries.id = :id and projects.organization_id = :organization_id")
_BODY: Final = Sql("select body from delivery_bodies where delivery_id = :id")


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is inserted. Headers and query without secrets; `body` None: it is not kept. `error` as in `Delivery`."""

    id: str
    project_id: str
    endpoint: str
    source_id: str | None
    sources: Sequence[str]
    method: str
    content_type: str | None
    remote_addr: str | None
    headers: Mapping[str, str]
    query: Mapping[str, str]
    size: int
    body: bytes | None
    outcome: Outcome
    status: int
    error: Any = None
    run_ids: Sequence[str] = ()
    dedupe_key: str | None = None
    duplicate_of: str | None = None
    replay_of: str | None = None


@dataclass(frozen=True, slots=True)
class EarlierDelivery:
    """The delivery that holds a key, and the runs that it started; none are known once its record is deleted."""

    id: str
    run_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Filters combine with AND, values of one with OR. `trigger` is a source's slug or id, `replayable` has its body."""

    project: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()
    endpoint: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    replayable: bool = False


@dataclass
class _Conditions:
    texts: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def add(self, text: str, **parameters: Any) -> None:
        self.texts.append(text)
        self.parameters |= parameters


def insert_delivery(tx: Tx, delivery: NewDelivery) -> None:
    """Record a delivery, with its body where it has one: one statement on PostgreSQL."""
    row = {name: getattr(delivery, name) for name in NewDelivery.__slots__}
    for name in ("sources", "run_ids"):
        row[name] = json.dumps(list(row[name]))
    for name in ("headers", "query"):
        row[name] = json.dumps(dict(row[name]))
    row["error"] = None if delivery.error is None else json.dumps(delivery.error)
    if delivery.body is None:
        tx.run(_INSERT_BARE, row)
    else:
        tx.run_held(_INSERT_WHOLE, row)


def take_key(
    tx: Tx, project_id: str, endpoint: str, key: str, delivery_id: str, window_us: int
) -> EarlierDelivery | None:
    """Take the key for a new delivery; None when it is ours now, else the one that holds it.

    Where somebody beside us is taking it this waits for the end of his transaction.
    """
    names = {"project_id": project_id, "endpoint": endpoint, "key": key}
    for _ in range(_MOST_TRIES):
        if tx.row(_TAKE_KEY, {**names, "delivery_id": delivery_id, "window_us": window_us}) is not None:
            return None
        holder = tx.row(_KEY_HOLDER, names)
        if holder is not None:
            return EarlierDelivery(holder.delivery_id, tuple(json.loads(holder.run_ids or "[]")))
    raise AssertionError("a key that is neither free nor taken")


def release_key(tx: Tx, project_id: str, endpoint: str, key: str, delivery_id: str) -> None:
    """Give the key back: what came under it counts as nothing, and may be sent again."""
    tx.run(
        _RELEASE_KEY,
        {"project_id": project_id, "endpoint": endpoint, "key": key, "delivery_id": delivery_id},
    )


def count_refused(tx: Tx, source_ids: Sequence[str]) -> None:
    """Count a refused delivery at each of these sources, by slug, and drop what the first has beyond its newest hundred."""
    # In the order in which whoever needs several locks their rows, so that none of them waits for another in a circle.
    tx.run_many(_COUNT_REFUSED, [{"source_id": each} for each in source_ids])
    tx.run(_DROP_REFUSED, {"source_id": source_ids[0], "most": MOST_REFUSED})


def list_deliveries(
    scope: Scope, tx: Tx, wanted: DeliveryFilter, *, before: str | None = None, after: str | None = None, limit: int
) -> list[Delivery]:  # fmt: skip
    """The newest that fit, those before the id `before`; with `after` the oldest behind that id, oldest first. QueryTooSlow."""
    conditions = _conditions(wanted)
    projects = [
        each.id for each in list_projects(scope, tx) if not wanted.project or each.slug in wanted.project
    ]
    conditions.add("deliveries.project_id {in:projects}", projects=projects)
    if before is not None:
        conditions.add("deliveries.id < :before", before=before)
    if after is not None:
        conditions.add("deliveries.id > :after", after=after)
    order = "desc" if after is None else "asc"
    text = f"{_SELECT} where {' and '.join(conditions.texts)} order by deliveries.id {order} limit :limit"
    with tx.limited(LONGEST_QUERY):
        rows = tx.rows(Sql(text), {**conditions.parameters, "limit": limit})
    return [_delivery(row) for row in rows]


def get_delivery(scope: Scope, tx: Tx, delivery_id: str) -> Delivery:
    """One delivery; DeliveryNotFound."""
    row = tx.row(_GET, {"id": delivery_id, "organization_id": scope.organization_id})
    if row is None or find_project(scope, tx, row.project_id) is None:
        raise DeliveryNotFound(delivery_id=delivery_id)
    return _delivery(row)


def find_body(scope: Scope, tx: Tx, delivery: Delivery) -> bytes | None:
    """The body of a delivery that the scope was given; None where it was not kept, or the scope sees no payloads."""
    found = tx.value(_BODY, {"id": delivery.id}) if scope.payloads else None
    return None if found is None else bytes(found)


def _conditions(wanted: DeliveryFilter) -> _Conditions:
    made = _Conditions()
    if wanted.trigger:
        # Of a shared endpoint a delivery has several sources; a slug has no character that LIKE gives a meaning to.
        slugs = [each for each in wanted.trigger if _SLUG.match(each)]
        named = [f"deliveries.sources like :named{at}" for at in range(len(slugs))]
        given = {f"named{at}": f'%"{each}"%' for at, each in enumerate(slugs)}
        either = " or ".join(["deliveries.source_id {in:triggers}", *named])
        made.add(f"({either})", triggers=list(wanted.trigger), **given)
    for column, values in (("endpoint", wanted.endpoint), ("outcome", wanted.outcome)):
        if values:
            made.add(f"deliveries.{column} {{in:{column}}}", **{column: list(values)})
    if wanted.since is not None:
        made.add("deliveries.received_at >= :since", since=to_micros(wanted.since))
    if wanted.until is not None:
        made.add("deliveries.received_at <= :until", until=to_micros(wanted.until))
    if wanted.replayable:
        made.add("deliveries.status <> :refused and deliveries.replay_of is null", refused=REFUSED_STATUS)
    return made


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id, project_id=row.project_id, project=row.project, endpoint=row.endpoint, trigger_id=row.source_id,
        trigger=row.source, triggers=tuple(json.loads(row.sources)), received_at=from_micros(row.received_at),
        method=row.method, content_type=row.content_type, remote_addr=row.remote_addr, headers=json.loads(row.headers),
        query=json.loads(row.query), size=row.size, outcome=row.outcome, status=row.status,
        error=None if row.error is None else json.loads(row.error), run_ids=tuple(json.loads(row.run_ids)),
        dedupe_key=row.dedupe_key, duplicate_of=row.duplicate_of, replay_of=row.replay_of,
    )  # fmt: skip
