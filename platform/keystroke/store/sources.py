"""Sources and attachments: what is published, and what operators and the clock have written beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Row

from keystroke import ids
from keystroke.clock import from_micros
from keystroke.domain.scope import Scope
from keystroke.domain.source import AttachmentManifest, SourceManifest
from keystroke.store.access import Project
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

#: Definitions that are kept as they were read.
_MOST_READ: Final = 1_000
_COLUMNS: Final = """sources.id, sources.project_id, sources.slug, sources.kind, sources.endpoint, sources.group_name,
    sources.definition, sources.deployment_id, sources.created_at, sources.retired_at, sources.disabled_at,
    sources.paused_until, sources.pause_reason, sources.armed_at, sources.next_at, sources.due_at, sources.last_at,
    sources.started_at, sources.passed,
    sources.failures, sources.refused, sources.refused_at, sources.notified_at,
    coalesce(sources.paused_until > {now}, false) as paused, {now} as now"""
_OF_PROJECT: Final = f"select {_COLUMNS} from sources where project_id = :project_id"
_ALL: Final = Sql(f"{_OF_PROJECT} order by slug")
_LIVE: Final = Sql(f"{_OF_PROJECT} and retired_at is null order by slug")
_BY_SLUG: Final = Sql(f"{_OF_PROJECT} and slug = :slug")
_BY_ENDPOINT: Final = Sql(f"{_OF_PROJECT} and endpoint = :endpoint order by slug")
# A slug may be taken in several organizations: the configured one's project comes first, and is the only one that is read.
_POSTED_TO: Final = f"""
select {_COLUMNS}, projects.slug as project_slug, projects.name as project_name, projects.organization_id,
    projects.current_deployment_id, organizations.slug as organization, attachments.definition as attachment,
    attachments.disabled_at as attachment_disabled_at, attachments.retired_at as attachment_retired_at
from projects join organizations on organizations.id = projects.organization_id
join sources on sources.project_id = projects.id
left join attachments on attachments.source_id = sources.id
where sources.endpoint = :endpoint and {{condition}}
order by (organizations.slug = :organization) desc, projects.id, sources.slug, attachments.position
"""
_POSTED_TO_PROJECT: Final = Sql(_POSTED_TO.replace("{condition}", "projects.slug = :project"))
_POSTED_TO_OLDEST: Final = Sql(
    _POSTED_TO.replace(
        "{condition}",
        """projects.id = (
            select other.id from projects other join organizations owner on owner.id = other.organization_id
            order by (owner.slug = :organization) desc, other.id limit 1)""",
    )
)
_BY_ID: Final = Sql(f"select {_COLUMNS} from sources where id = :id")
_VISIBLE: Final = Sql(f"""
select {_COLUMNS} from sources join projects on projects.id = sources.project_id
where sources.id = :id and projects.organization_id = :organization_id
""")
_BY_ID_LOCKED: Final = Sql(f"select {_COLUMNS} from sources where id = :id {{for_update}}")
_BY_IDS_LOCKED: Final = Sql(
    f"select {_COLUMNS} from sources where id {{in:ids}} order by slug {{for_update}}"
)
_LOCK_PROJECT: Final = Sql("select id from sources where project_id = :project_id order by slug {for_update}")
_INSERT: Final = Sql("""
insert into sources (id, project_id, slug, kind, endpoint, group_name, pause_after, definition, deployment_id, created_at,
    updated_at, armed_at)
values (:id, :project_id, :slug, :kind, :endpoint, :group_name, :pause_after, :definition, :deployment_id, {now}, {now}, {now})
on conflict (project_id, slug) do nothing
""")
_REPLACE: Final = Sql("""
update sources set kind = :kind, endpoint = :endpoint, group_name = :group_name, pause_after = :pause_after,
    definition = :definition,
    deployment_id = :deployment_id, updated_at = {now}, retired_at = null
where project_id = :project_id and slug = :slug
""")
_RETIRE: Final = Sql("""
update sources set retired_at = {now}, updated_at = {now}, due_at = null, next_at = null
where project_id = :project_id and retired_at is null and slug {not_in:slugs}
""")
_SET_ARMED: Final = Sql("update sources set armed_at = {now} where id = :id")
_SET_TIMES: Final = Sql("update sources set next_at = :next_at, due_at = :due_at where id = :id")
_ATTACHMENTS: Final = Sql("""
select source_id, workflow, definition, retired_at, disabled_at from attachments
where source_id {in:ids} order by source_id, position
""")
_PUT_ATTACHMENT: Final = Sql("""
insert into attachments (source_id, workflow, definition, position) values (:source_id, :workflow, :definition, :position)
on conflict (source_id, workflow) do update set definition = excluded.definition, position = excluded.position,
    retired_at = null
""")
_RETIRE_ATTACHMENTS: Final = Sql("""
update attachments set retired_at = {now} where source_id = :source_id and retired_at is null and workflow {not_in:workflows}
""")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A workflow that a source starts, and whether an operator has switched that off."""

    manifest: AttachmentManifest
    disabled_at: datetime | None
    retired_at: datetime | None

    @property
    def workflow(self) -> str:
        """The workflow's slug."""
        return self.manifest.workflow

    @property
    def active(self) -> bool:
        """Whether the source starts it."""
        return self.disabled_at is None and self.retired_at is None


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it stands: its published definition, what operators have set, what the clock has written.

    `next_at` is the next time that a schedule or poll stands for, `due_at` the same with its jitter; `last_at` the newest time
    that was decided on, `started_at` the newest that a schedule has started something for, `passed` how many times have passed
    since then without; `armed_at` since when failures in a row and an expected success count; `now` is the database's clock.
    """

    id: str
    project_id: str
    manifest: SourceManifest
    deployment_id: str
    created_at: datetime
    retired_at: datetime | None
    disabled_at: datetime | None
    paused_until: datetime | None
    paused: bool
    pause_reason: str | None
    armed_at: datetime
    next_at: datetime | None
    due_at: datetime | None
    last_at: datetime | None
    started_at: datetime | None
    passed: int
    failures: int
    refused: int
    refused_at: datetime | None
    notified_at: datetime | None
    now: datetime
    attachments: tuple[Attachment, ...]

    @property
    def slug(self) -> str:
        """What people call it."""
        return self.manifest.slug

    @property
    def active(self) -> bool:
        """Whether it starts anything at the moment."""
        return self.retired_at is None and self.disabled_at is None and not self.paused


def put_source(tx: Tx, project_id: str, deployment_id: str, manifest: SourceManifest) -> Source:
    """Publish a definition, in place of an earlier one of that slug; what operators have set stays."""
    row = {
        "id": ids.new("trg"), "project_id": project_id, "slug": manifest.slug, "kind": manifest.kind,
        "endpoint": manifest.options.get("endpoint"), "group_name": manifest.options.get("group"),
        "pause_after": manifest.options.get("pause_after"),
        "definition": json.dumps(manifest.as_json()), "deployment_id": deployment_id,
    }  # fmt: skip
    if not tx.run(_INSERT, row):
        tx.run(_REPLACE, row)
    source_id = str(tx.rows(_BY_SLUG, row)[0].id)
    tx.run_many(
        _PUT_ATTACHMENT,
        [
            {
                "source_id": source_id, "workflow": each.workflow, "definition": json.dumps(each.as_json()),
                "position": position,
            }
            for position, each in enumerate(manifest.attachments)
        ],
    )  # fmt: skip
    tx.run(
        _RETIRE_ATTACHMENTS,
        {"source_id": source_id, "workflows": [each.workflow for each in manifest.attachments]},
    )
    return source_of(tx, source_id)


def retire_others(tx: Tx, project_id: str, slugs: Iterable[str]) -> int:
    """Retire the sources that the code has no longer; how many there were. Their history stays."""
    return tx.run(_RETIRE, {"project_id": project_id, "slugs": list(slugs)})


def set_armed(tx: Tx, source_id: str) -> None:
    """From now on count what fails in a row, and expect a success: what was before was by another timing, or long ago."""
    tx.run(_SET_ARMED, {"id": source_id})


def set_times(tx: Tx, source_id: str, next_at: int | None, due_at: int | None) -> None:
    """When a schedule or poll fires next, and when that is due with its jitter: microseconds."""
    tx.run(_SET_TIMES, {"id": source_id, "next_at": next_at, "due_at": due_at})


def source_of(tx: Tx, source_id: str) -> Source:
    """One source by its id, which exists."""
    return _sources(tx, tx.rows(_BY_ID, {"id": source_id}))[0]


def lock_source(tx: Tx, source_id: str) -> Source:
    """The same, its row locked."""
    return _sources(tx, tx.rows(_BY_ID_LOCKED, {"id": source_id}))[0]


def lock_sources(tx: Tx, source_ids: Iterable[str]) -> list[Source]:
    """Several, their rows locked in the order of their slugs."""
    return _sources(tx, tx.rows(_BY_IDS_LOCKED, {"ids": list(source_ids)}))


def lock_project(tx: Tx, project_id: str) -> None:
    """Lock the rows of all sources of a project in the order of their slugs, as whoever needs several does."""
    tx.rows(_LOCK_PROJECT, {"project_id": project_id})


def find_source(scope: Scope, tx: Tx, source_id: str) -> Source | None:
    """The source of that id, if the scope sees it; None otherwise."""
    found = _sources(tx, tx.rows(_VISIBLE, {"id": source_id, "organization_id": scope.organization_id}))
    if not found or (scope.project_ids is not None and found[0].project_id not in scope.project_ids):
        return None
    return found[0]


def of_slug(tx: Tx, project_id: str, slug: str) -> Source | None:
    """The project's source of that slug, a retired one too."""
    found = _sources(tx, tx.rows(_BY_SLUG, {"project_id": project_id, "slug": slug}))
    return found[0] if found else None


def of_endpoint(tx: Tx, project_id: str, endpoint: str) -> list[Source]:
    """The webhook sources of an endpoint, retired ones too, by slug."""
    return _sources(tx, tx.rows(_BY_ENDPOINT, {"project_id": project_id, "endpoint": endpoint}))


def posted_to(
    tx: Tx, organization: str, project: str | None, endpoint: str
) -> tuple[Project, list[Source]] | None:
    """The webhook sources of an endpoint by slug, retired ones too, with their project; None: there is no such endpoint.

    One statement. `organization` is whose project is meant where several have that slug; without `project` its oldest is.
    """
    sql = _POSTED_TO_OLDEST if project is None else _POSTED_TO_PROJECT
    rows = tx.rows(sql, {"organization": organization, "project": project, "endpoint": endpoint})
    if not rows:
        return None
    own = [row for row in rows if row.project_id == rows[0].project_id]
    found: dict[str, tuple[Row[Any], list[Attachment]]] = {}
    for row in own:
        _, attachments = found.setdefault(row.id, (row, []))
        if row.attachment is not None:
            attachments.append(
                _attachment(row.attachment, row.attachment_disabled_at, row.attachment_retired_at)
            )
    first = rows[0]
    project_found = Project(
        first.project_id, first.project_slug, first.project_name, first.organization_id, first.organization,
        first.current_deployment_id,
    )  # fmt: skip
    return project_found, [_source(row, attachments) for row, attachments in found.values()]


def of_project(tx: Tx, project_id: str, *, retired: bool = False) -> list[Source]:
    """The project's sources by slug, the retired ones if wanted."""
    return _sources(tx, tx.rows(_ALL if retired else _LIVE, {"project_id": project_id}))


def _sources(tx: Tx, rows: Iterable[Row[Any]]) -> list[Source]:
    rows = list(rows)
    attached: dict[str, list[Attachment]] = {row.id: [] for row in rows}
    for each in tx.rows(_ATTACHMENTS, {"ids": list(attached)}) if rows else ():
        attached[each.source_id].append(_attachment(each.definition, each.disabled_at, each.retired_at))
    return [_source(row, attached[row.id]) for row in rows]


def _source(row: Row[Any], attachments: list[Attachment]) -> Source:
    return Source(
        row.id, row.project_id, _manifest(row.definition), row.deployment_id,
        from_micros(row.created_at), from_micros(row.retired_at), from_micros(row.disabled_at),
        from_micros(row.paused_until), bool(row.paused), row.pause_reason, from_micros(row.armed_at),
        from_micros(row.next_at), from_micros(row.due_at), from_micros(row.last_at),
        from_micros(row.started_at), row.passed, row.failures, row.refused,
        from_micros(row.refused_at), from_micros(row.notified_at), from_micros(row.now), tuple(attachments),
    )  # fmt: skip


def _attachment(definition: str, disabled_at: int | None, retired_at: int | None) -> Attachment:
    return Attachment(_attachment_manifest(definition), from_micros(disabled_at), from_micros(retired_at))


@lru_cache(maxsize=_MOST_READ)
def _manifest(definition: str) -> SourceManifest:
    """Read once: each delivery asks for the same few definitions."""
    return SourceManifest.from_json(json.loads(definition))


@lru_cache(maxsize=_MOST_READ)
def _attachment_manifest(definition: str) -> AttachmentManifest:
    return AttachmentManifest.from_json(json.loads(definition))
