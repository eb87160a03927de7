"""Delete a secret: what is signed with it is refused from then on."""

from __future__ import annotations

from keystroke.domain.actor import Actor
from keystroke.errors import SecretNotFound
from keystroke.store import Database, access, secrets
from keystroke.store.access import Project


def delete_secret(database: Database, actor: Actor, project: Project, name: str) -> None:
    """Delete it with the value before it. Raises SecretNotFound."""
    with database.transaction() as tx:
        if not secrets.delete_secret(tx, project.id, name):
            raise SecretNotFound(name=name, project=project.slug)
        access.audit(tx, project.organization_id, actor, "secret.delete", f"{project.slug}/{name}")
