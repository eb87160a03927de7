"""Organizations, projects and API keys: who exists, and what a key may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from keystroke import ids
from keystroke.domain.actor import Actor
from keystroke.domain.scope import Scope
from keystroke.errors import ProjectNotFound
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_PROJECT_COLUMNS: Final = """projects.id, projects.slug, projects.name, projects.organization_id, projects.current_deployment_id,
    organizations.slug as organization"""
_PROJECTS: Final = Sql(f"""
select {_PROJECT_COLUMNS} from projects join organizations on organizations.id = projects.organization_id
where projects.organization_id = :organization_id order by projects.id
""")
_PUT_ORGANIZATION: Final = Sql("""
insert into organizations (id, slug, name, created_at) values (:id, :slug, :slug, {now}) on conflict (slug) do nothing
""")
_PUT_PROJECT: Final = Sql("""
insert into projects (id, organization_id, slug, name, created_at)
select :id, organizations.id, :slug, :slug, {now} from organizations where organizations.slug = :organization
on conflict (organization_id, slug) do nothing
""")
_PROJECT_BY_SLUGS: Final = Sql(f"""
select {_PROJECT_COLUMNS} from projects join organizations on organizations.id = projects.organization_id
where organizations.slug = :organization and projects.slug = :slug
""")
_PROJECT_BY_ID: Final = Sql(f"""
select {_PROJECT_COLUMNS} from projects join organizations on organizations.id = projects.organization_id
where projects.id = :id and projects.organization_id = :organization_id
""")
_PROJECTS_BY_ID: Final = Sql(f"""
select {_PROJECT_COLUMNS} from projects join organizations on organizations.id = projects.organization_id
where projects.id {{in:ids}}
""")
_FIRST_ORGANIZATION: Final = Sql("select id from organizations order by id limit 1")
_ORGANIZATION: Final = Sql("select id from organizations where slug = :slug")
_ORGANIZATION_SLUG: Final = Sql("select slug from organizations where id = :id")
_ANY_KEY: Final = Sql("select 1 from api_keys where revoked_at is null limit 1")
_INSERT_KEY: Final = Sql("""
insert into api_keys (id, organization_id, project_id, name, prefix, hash, role, created_at, expires_at)
values (:id, :organization_id, :project_id, :name, :prefix, :hash, :role, {now}, :expires_at)
""")
_KEYS: Final = Sql("""
select api_keys.*, projects.slug as project from api_keys left join projects on projects.id = api_keys.project_id
where api_keys.organization_id = :organization_id order by api_keys.id
""")
_KEY_BY_HASH: Final = Sql("""
select id, organization_id, project_id, name, role, {now} - coalesce(last_used_at, 0) > 60000000 as stale from api_keys
where hash = :hash and revoked_at is null and (expires_at is null or expires_at > {now})
""")
_TOUCH_KEY: Final = Sql("update api_keys set last_used_at = {now} where id = :id")
_REVOKE_KEY: Final = Sql("""
update api_keys set revoked_at = {now}
where organization_id = :organization_id and revoked_at is null and (id = :key or prefix = :key)
returning id
""")
_AUDIT: Final = Sql("""
insert into audit_log (at, organization_id, actor_type, actor_id, actor_name, action, target, detail)
values ({now}, :organization_id, :actor_type, :actor_id, :actor_name, :action, :target, :detail)
""")


@dataclass(frozen=True, slots=True)
class Project:
    """A unit of code, definitions, access and history. `slug` is unique in its organization."""

    id: str
    slug: str
    name: str
    organization_id: str
    organization: str
    current_deployment_id: str | None


def list_projects(scope: Scope, tx: Tx) -> list[Project]:
    """The scope's projects, oldest first."""
    rows = tx.rows(_PROJECTS, {"organization_id": scope.organization_id})
    return [_project(row) for row in rows if scope.project_ids is None or row.id in scope.project_ids]


def get_project(scope: Scope, tx: Tx, slug: str) -> Project:
    """The scope's project of that slug; ProjectNotFound otherwise."""
    for project in list_projects(scope, tx):
        if project.slug == slug:
            return project
    raise ProjectNotFound(project=slug)


def find_project(scope: Scope, tx: Tx, project_id: str) -> Project | None:
    """The scope's project of that id."""
    if scope.project_ids is not None and project_id not in scope.project_ids:
        return None
    row = tx.row(_PROJECT_BY_ID, {"id": project_id, "organization_id": scope.organization_id})
    return None if row is None else _project(row)


def projects_of(tx: Tx, project_ids: Iterable[str]) -> dict[str, Project]:
    """Projects by their ids, whoever they belong to."""
    rows = tx.rows(_PROJECTS_BY_ID, {"ids": sorted(set(project_ids))})
    return {row.id: _project(row) for row in rows}


def local_scope(tx: Tx) -> Scope:
    """What the owner of an instance without keys sees: the first organization, whole."""
    return Scope(tx.value(_FIRST_ORGANIZATION) or "org_none")


def has_api_keys(tx: Tx) -> bool:
    """Whether any key is in force: then the API asks for one."""
    return tx.row(_ANY_KEY) is not None


def organization_id(tx: Tx, slug: str) -> str | None:
    """The id of an organization."""
    found = tx.value(_ORGANIZATION, {"slug": slug})
    return None if found is None else str(found)


def organization_slug(tx: Tx, organization: str) -> str | None:
    """The slug of the organization with this id."""
    found = tx.value(_ORGANIZATION_SLUG, {"id": organization})
    return None if found is None else str(found)


def ensure_organization(tx: Tx, slug: str) -> None:
    """Make the organization unless it is there."""
    tx.run(_PUT_ORGANIZATION, {"id": ids.new("org"), "slug": slug})


def ensure_project(tx: Tx, organization: str, slug: str) -> Project:
    """The project, made together with its organization where they are not there yet."""
    ensure_organization(tx, organization)
    tx.run(_PUT_PROJECT, {"id": ids.new("prj"), "organization": organization, "slug": slug})
    row = tx.row(_PROJECT_BY_SLUGS, {"organization": organization, "slug": slug})
    if row is None:
        raise ProjectNotFound(project=slug)
    return _project(row)


def insert_key(tx: Tx, key: dict[str, Any]) -> None:
    """Keep a new key: its hash and visible prefix, never the key itself."""
    tx.run(_INSERT_KEY, key)


def list_keys(scope: Scope, tx: Tx) -> list[Row[Any]]:
    """The organization's keys, revoked ones too, oldest first."""
    return list(tx.rows(_KEYS, {"organization_id": scope.organization_id}))


def key_by_hash(tx: Tx, key_hash: str) -> Row[Any] | None:
    """The key in force that has this hash."""
    return tx.row(_KEY_BY_HASH, {"hash": key_hash})


def touch_key(tx: Tx, key_id: str) -> None:
    """Note that a key was used."""
    tx.run(_TOUCH_KEY, {"id": key_id})


def revoke_key(tx: Tx, organization: str, key: str) -> str | None:
    """Revoke by id or visible prefix; the key's id, or None when there is none in force."""
    found = tx.value(_REVOKE_KEY, {"organization_id": organization, "key": key})
    return None if found is None else str(found)


def audit(
    tx: Tx, organization: str, actor: Actor, action: str, target: str, detail: str | None = None
) -> None:
    """Write a line of the audit log."""
    tx.run(
        _AUDIT,
        {
            "organization_id": organization, "actor_type": actor.type, "actor_id": actor.id,
            "actor_name": actor.name, "action": action, "target": target, "detail": detail,
        },
    )  # fmt: skip


def _project(row: Row[Any]) -> Project:
    return Project(
        row.id, row.slug, row.name, row.organization_id, row.organization, row.current_deployment_id
    )
