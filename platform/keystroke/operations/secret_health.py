"""What is wrong with the secrets that webhooks need: for whoever looks at a webhook that refuses everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keystroke.operations.read_secrets import Secrets
from keystroke.store.sources import Source
from keystroke.verify.check import secret_problem, secret_reference
from keystroke.verify.reference import SecretReference


def secret_trouble(source: Source, secrets: Secrets) -> str | None:
    """Why a source's secret verifies nothing, as a sentence without its value; None: nothing is wrong, or it needs none.

    Reads the database unless what is asked for was read a moment ago: call it outside of a transaction.
    """
    spec: dict[str, Any] = source.manifest.options.get("verify") or {"scheme": "open"}
    reference = secret_reference(spec)
    if reference is None:
        return None
    values = secrets.live(source.project_id, reference)
    if not values:
        return _absence(source.project_id, SecretReference.parse(reference), secrets)
    problems = [problem for value in values if (problem := secret_problem(spec, value))]
    return f"The secret {reference} cannot serve: {problems[0]}." if len(problems) == len(values) else None


def secret_troubles(sources: Iterable[Source], secrets: Secrets) -> dict[str, str]:
    """The same for several, by the id of the source; those with nothing wrong are left out."""
    found = {each.id: secret_trouble(each, secrets) for each in sources}
    return {source_id: trouble for source_id, trouble in found.items() if trouble is not None}


def _absence(project_id: str, reference: SecretReference, secrets: Secrets) -> str:
    name = reference.name
    if reference.origin == "env":
        return f"The secret {reference} is not set: give the API process the environment variable {name}."
    if secrets.is_kept(project_id, name):
        return f"The secret {reference} was encrypted with a key that is gone: `keystroke secrets set {name}` sets it anew."
    return f"The secret {reference} is not set: `keystroke secrets set {name}` sets it."
