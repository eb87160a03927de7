"""`keystroke api-keys`: who may use the API. Works on the configured database itself, so that the first key can be made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from keystroke.cli.database import database_settings, open_database
from keystroke.cli.inputs import parse_moment
from keystroke.cli.options import debug_option, output_options
from keystroke.cli.session import session_of
from keystroke.clock import rfc3339
from keystroke.settings import Settings

if TYPE_CHECKING:
    from keystroke.operations.api_keys import Role

_organization_option = click.option("--organization", metavar="SLUG", help="Else the configured one.")


@click.group("api-keys")
def api_keys() -> None:
    """API keys of an organization, in the configured database."""


@api_keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "runner", "admin"]), default="runner", show_default=True)
@click.option("--project", "project_slug", metavar="SLUG", help="Valid for this project only.")
@click.option("--expires", metavar="90d|TIME", help="When it ends to be valid; else never.")
@_organization_option
@output_options
@click.pass_context
def create(
    context: click.Context,
    name: str,
    role: Role,
    project_slug: str | None,
    expires: str | None,
    organization: str | None,
) -> None:
    """Make a key and show it, this once."""
    from keystroke.operations.api_keys import create_api_key

    if not name.strip():
        raise click.UsageError("NAME is empty: it says later whose key this is")
    expires_at = None if expires is None else parse_moment("--expires", expires, ahead=True)
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise click.UsageError(f"--expires {expires}: that is over")
    settings = database_settings()
    with open_database(settings) as database:
        new = create_api_key(database, _slug(organization, settings), name, role, project_slug, expires_at)
    made = {
        "id": new.id,
        "key": new.key,
        "prefix": new.prefix,
        "name": name,
        "role": role,
        "project": project_slug,
    }
    session_of(context).show(made | {"expires_at": rfc3339(expires_at)}, kind="api_key")
    click.echo("keep the key now: it is not shown again", err=True)


@api_keys.command("list")
@_organization_option
@output_options
@click.pass_context
def list_keys(context: click.Context, organization: str | None) -> None:
    """List keys by their beginning; the keys themselves are not kept."""
    from keystroke.operations.api_keys import list_api_keys

    settings = database_settings()
    with open_database(settings) as database:
        keys = [_as_json(key) for key in list_api_keys(database, _slug(organization, settings))]
    session_of(context).show(keys, kind="api_keys")


@api_keys.command()
@click.argument("key")
@_organization_option
@debug_option
def revoke(key: str, organization: str | None) -> None:
    """Make a key invalid, at once. KEY is its id, or its beginning as listed."""
    from keystroke.operations.api_keys import revoke_api_key

    settings = database_settings()
    with open_database(settings) as database:
        revoke_api_key(database, _slug(organization, settings), key)
    click.echo(f"{key} is revoked", err=True)


def _slug(organization: str | None, settings: Settings) -> str:
    return organization or settings.organization


def _as_json(key: Any) -> dict[str, Any]:
    """What a listed key says of itself, times as text."""
    fields = {name: getattr(key, name) for name in key.__slots__}
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in fields.items()}
