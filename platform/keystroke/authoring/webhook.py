"""Webhooks: sources that are posted to. What is wrong with one is said in a line, where it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keystroke.authoring.definition import Checks, report_at
from keystroke.authoring.source import Source, caller_place, slug_problems
from keystroke.domain.challenge import CHALLENGES, Challenge
from keystroke.domain.limits import RateLimit
from keystroke.domain.post import Place, Scalar
from keystroke.domain.respond import Respond
from keystroke.verify import Verifier

#: One part of a path. What begins with `trg_` is the id of a trigger, whose page lies beside the endpoints.
_ENDPOINT: Final = re.compile(r"(?!trg_)[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
_NO_VERIFIER: Final = (
    "verify is missing: name who may post, such as github('env:GITHUB_SECRET'); "
    "if anybody may, say verify=open_endpoint()"
)
_MOST_VALUES: Final = 100
Match = Mapping[str, Scalar | Sequence[Scalar]]


class Webhook(Source):
    """A source that is posted to; made by `webhook`."""

    kind = "webhook"


def webhook(  # noqa: PLR0913, PLR0917 - the options of the language, by name
    slug: str,
    endpoint: str,
    payload: Any = None,
    verify: Verifier | None = None,
    match: Match | None = None,
    dedupe: str | None = None,
    rate_limit: RateLimit | None = None,
    respond: Respond | None = None,
    challenge: str | None = None,
    name: str | None = None,
    description: str | None = None,
) -> Webhook:
    """A source that services post to, at `/triggers/{project}/{endpoint}`. Several may share an endpoint.

    `payload` is the type of the body (None: anything); its `Literal` fields select events. `verify` says who may post, by a
    word of `keystroke.verify`. `match` selects besides: `{"header:x-github-event": ["push"], "body:action": "opened"}`, all
    of the places, any of the values of each. `dedupe` names the place by which a delivery that comes again is known, where
    the provider's own id is not to be taken. `rate_limit` bounds how many are taken. `respond` is answered in place of
    the platform's JSON. `challenge` answers a provider's handshake: `slack`, `meta`, `microsoft` or `dropbox`.
    """
    place, module = caller_place()
    checks = Checks(f"webhook {slug}")
    options = {
        "endpoint": checks.text("endpoint", endpoint, _ENDPOINT, "'signup': letters, digits, - and _"),
        "verify": _verifier(checks, verify), "match": _match(checks, match), "dedupe": _dedupe(checks, dedupe),
        "rate_limit": _rate_limit(checks, rate_limit), "respond": _respond(checks, respond),
        "challenge": _challenge(checks, challenge, verify),
    }  # fmt: skip
    for option, text in (("name", name), ("description", description)):
        if text is not None:
            checks.instance(option, text, str, "'Signups'")
    report_at(place, [*slug_problems(f"webhook {slug}", slug), *checks.messages])
    return Webhook(
        slug, payload=payload, name=name, description=description, options=options, place=place, module=module
    )


def _verifier(checks: Checks, verify: Any) -> dict[str, Any] | None:
    if verify is None:
        checks.refuse(_NO_VERIFIER)
        return None
    checks.instance("verify", verify, Verifier, "github('env:GITHUB_SECRET'), by a word of keystroke.verify")
    return verify.as_json() if isinstance(verify, Verifier) else None


def _match(checks: Checks, match: Any) -> dict[str, list[Scalar]] | None:
    """The places as texts, each with the list of its values."""
    if match is None:
        return None
    if not isinstance(match, Mapping) or not match:
        checks.refuse(f'match is {match!r}; write it like {{"header:x-github-event": ["push"]}}')
        return None
    return {str(place): _values(checks, place, values) for place, values in match.items()}


def _values(checks: Checks, place: Any, values: Any) -> list[Scalar]:
    problem = _place_problem(place)
    if problem:
        checks.refuse(f"match: {problem}")
        return []
    listed = list(values) if isinstance(values, list | tuple | set | frozenset) else [values]
    in_body = place.startswith("body:")
    kinds = (str, int, float, bool, type(None)) if in_body else (str,)
    if not 0 < len(listed) <= _MOST_VALUES or not all(isinstance(each, kinds) for each in listed):
        what = "texts, numbers, booleans or None" if in_body else "texts"
        checks.refuse(f"match: {place} is {values!r}; it must be one or a list of {what}")
        return []
    return sorted(listed, key=repr) if isinstance(values, set | frozenset) else listed


def _dedupe(checks: Checks, dedupe: Any) -> str | None:
    problem = None if dedupe is None else _place_problem(dedupe)
    if problem:
        checks.refuse(f"dedupe: {problem}")
    return None if dedupe is None or problem else str(dedupe)


def _place_problem(place: Any) -> str | None:
    try:
        Place.parse(place)
    except ValueError as error:
        return str(error)
    return None


def _rate_limit(checks: Checks, limit: Any) -> dict[str, Any] | None:
    if limit is None:
        return None
    checks.instance("rate_limit", limit, RateLimit, 'RateLimit(10, per="1m")')
    if not isinstance(limit, RateLimit):
        return None
    if limit.key is not None:
        checks.refuse("rate_limit has a key; a webhook is limited as a whole")
    published = limit.as_json()
    return {"limit": published["limit"], "per": published["per"]}


def _respond(checks: Checks, respond: Any) -> dict[str, Any] | None:
    if respond is None:
        return None
    checks.instance("respond", respond, Respond, 'Respond(200, "", "text/plain")')
    return respond.as_json() if isinstance(respond, Respond) else None


def _challenge(checks: Checks, challenge: Any, verify: Any) -> str | None:
    if challenge is None:
        return None
    try:
        parsed = Challenge.parse(challenge)
    except ValueError as error:
        checks.refuse(f"challenge: {error}; it is one of {', '.join(CHALLENGES)}, or meta:env:NAME")
        return None
    if parsed.name == "meta" and parsed.secret is None and getattr(verify, "secret", None) is None:
        checks.refuse("challenge: Meta's brings a token that has to be known; name it: meta:env:NAME")
    return str(challenge)
