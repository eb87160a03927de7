"""`keystroke db`: the database itself."""

from __future__ import annotations

import click

from keystroke.cli.database import database_settings, open_database
from keystroke.cli.options import debug_option


@click.group()
def db() -> None:
    """The configured database."""


@db.command()
@debug_option
def upgrade() -> None:
    """Bring the schema to this version; safe to run twice, and from several machines at once."""
    from keystroke.store.migrate import upgrade as upgrade_schema

    with open_database(database_settings(), any_schema=True) as database:
        upgrade_schema(database)
        click.echo(f"the schema is up to date ({database.backend})", err=True)
