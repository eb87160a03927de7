"""Check an input, or the answer to a hook, against its JSON Schema, formats asserted; seal the secrets that the schema names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from email_validator import EmailNotValidError, validate_email
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match

from keystroke.box import Box
from keystroke.domain.editing import leaves
from keystroke.domain.label import LONGEST_TAG, LONGEST_TAG_KEY, check_label
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.payload import check_depth
from keystroke.domain.secrets import SEALED, is_sealed, sealed
from keystroke.errors import InvalidAnswer, InvalidInput, PathError

_MOST_ERRORS: Final = 20
_ASSERTED: Final = ("email", "uuid", "date-time", "date", "time", "uri", "ipv4", "ipv6")
_FORMAT_NAMES: Final = {"email": "e-mail address", "date-time": "date and time with time zone", "uri": "URI"}
_formats: Final = FormatChecker(_ASSERTED)
_compiled: Final[dict[tuple[str, str], Draft202012Validator]] = {}
_MOST_COMPILED: Final = 500


@_formats.checks("email", raises=EmailNotValidError)
def _is_email(value: object) -> bool:
    """As Pydantic's EmailStr decides it: the same library, nothing looked up."""
    if isinstance(value, str):
        validate_email(value, check_deliverability=False)
    return True


def check_input(
    workflow: WorkflowManifest, deployment_id: str, value: Any, hidden: Collection[Any] = ()
) -> None:
    """Raise InvalidInput, with the path of everything wrong, unless the value fits the workflow's input schema.

    What is wrong is said without the texts and numbers in `hidden`, which the caller did not give and may not see.
    """
    check_depth(value, what="input")
    errors = _errors(_validator(deployment_id, workflow), value, hidden)
    if errors:
        raise InvalidInput(what=f"workflow {workflow.slug}", errors=errors)


def compiled(schema: dict[str, Any]) -> Draft202012Validator:
    """What checks values by a JSON Schema, formats asserted; to be kept, since making it takes its time."""
    return Draft202012Validator(schema, format_checker=_formats)


def first_errors(validator: Draft202012Validator, value: Any) -> list[ValidationError]:
    """The first things that are wrong with a value. re.error where the schema has a pattern that cannot be checked here."""
    return [error for _, error in zip(range(_MOST_ERRORS), validator.iter_errors(value), strict=False)]


def explained(errors: Iterable[ValidationError], hidden: Collection[Any] = ()) -> list[PathError]:
    """Errors with their paths as people read them, without the texts and numbers in `hidden`."""
    return [_explain(error, hidden) for error in errors]


def refuse_reserved(workflow: WorkflowManifest, text: str) -> None:
    """Raise InvalidInput where a caller writes what only the platform may: the place holder of an encrypted value."""
    if f'"{SEALED}":' in text:
        raise InvalidInput(
            what=f"workflow {workflow.slug}", errors=[PathError("$", f"the key {SEALED} is reserved")]
        )


def refuse_unstorable_tags(workflow: WorkflowManifest, tags: Mapping[str, str]) -> None:
    """Raise InvalidInput for tags that no database keeps and indexes."""
    errors = []
    for key, value in tags.items():
        try:
            check_label(key, "a tag's key", LONGEST_TAG_KEY)
            check_label(value, f"the tag {key}", LONGEST_TAG)
        except (TypeError, ValueError) as error:
            errors.append(PathError("$.tags", str(error)[:300]))
    if errors:
        raise InvalidInput(what=f"workflow {workflow.slug}", errors=errors)


def seal_secrets(workflow: WorkflowManifest, value: Any, box: Box | None) -> Any:
    """The input with each secret (`writeOnly` in the schema, as Pydantic's SecretStr is) encrypted."""
    if "writeOnly" not in str(workflow.input_schema):
        return value
    if box is None:
        missing = PathError("$", "holds a secret, which cannot be kept: KEYSTROKE_SECRET_KEY is not set")
        raise InvalidInput(what=f"workflow {workflow.slug}", errors=[missing])
    return seal_by_schema(workflow.input_schema, workflow.input_schema, value, box.encrypt)


def check_answer(hook: str, schema: dict[str, Any], value: Any) -> None:
    """Raise InvalidAnswer, with the path of everything wrong, unless the value fits the schema of that hook."""
    check_depth(value, what="answer")
    errors = _errors(Draft202012Validator(schema, format_checker=_formats), value, ())
    if errors:
        raise InvalidAnswer(what=f"hook {hook}", errors=errors)


def seal_answer(hook: str, schema: dict[str, Any], value: Any, text: str, box: Box) -> Any:
    """The answer, whose canonical text is given, with each secret encrypted. InvalidAnswer where it holds what is reserved."""
    if f'"{SEALED}":' in text:
        raise InvalidAnswer(what=f"hook {hook}", errors=[PathError("$", f"the key {SEALED} is reserved")])
    return seal_by_schema(schema, schema, value, box.encrypt) if "writeOnly" in str(schema) else value


def fit_errors(schema: dict[str, Any], value: Any, hidden: Collection[Any] = ()) -> list[PathError]:
    """What is wrong with a value by a published schema, formats asserted, said without `hidden`; none: it fits."""
    return _errors(Draft202012Validator(schema, format_checker=_formats), value, hidden)


def _validator(deployment_id: str, workflow: WorkflowManifest) -> Draft202012Validator:
    """Compiled once per deployment and workflow: a published schema never changes."""
    key = (deployment_id, workflow.slug)
    if key not in _compiled:
        if len(_compiled) >= _MOST_COMPILED:
            _compiled.clear()
        _compiled[key] = Draft202012Validator(workflow.input_schema, format_checker=_formats)
    return _compiled[key]


def _errors(validator: Draft202012Validator, value: Any, hidden: Collection[Any]) -> list[PathError]:
    """What is wrong with a value: the first errors. What the schema asks for and nobody can check fits nothing."""
    try:
        return explained(first_errors(validator, value), hidden)
    except re.error as error:
        # Pydantic takes patterns of another dialect, such as \p{L}.
        return [PathError("$", f"the schema's pattern {error.pattern!r} cannot be checked here: {error}")]


def _explain(error: ValidationError, hidden: Collection[Any]) -> PathError:
    """The deepest cause of an error, where a choice between schemas failed."""
    cause = best_match([error]) or error
    if hidden and any(leaf in hidden for leaf in leaves(cause.instance)):
        return PathError(cause.json_path, f"does not fit the schema's {cause.validator}")
    message = cause.message
    if cause.instance is None or isinstance(cause.instance, bool):
        # The library says `None` and `True`, which nobody can have sent.
        message = message.replace(str(cause.instance), json.dumps(cause.instance), 1)
    if cause.validator == "format":
        name = str(cause.validator_value)
        message = f"{cause.instance!r} is not a valid {_FORMAT_NAMES.get(name, name)}"
    return PathError(cause.json_path, message[:500])


def seal_by_schema(root: dict[str, Any], schema: Any, value: Any, encrypt: Callable[[str], str]) -> Any:
    """Walk schema and value together; the value was validated, so shapes agree. Several parts may name one secret."""
    if is_sealed(value):
        return value
    for part in _parts(root, schema):
        if part.get("writeOnly") and isinstance(value, str):
            return sealed(encrypt(value))
        if isinstance(value, dict):
            rest = part.get("additionalProperties")
            properties = part.get("properties", {})
            value = {
                key: seal_by_schema(root, properties.get(key, rest), item, encrypt)
                for key, item in value.items()
            }
        elif isinstance(value, list):
            prefix, rest = part.get("prefixItems", []), part.get("items")
            value = [
                seal_by_schema(root, prefix[at] if at < len(prefix) else rest, item, encrypt)
                for at, item in enumerate(value)
            ]
    return value


def _parts(root: dict[str, Any], schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and all that it refers to or is composed of."""
    if not isinstance(schema, dict):
        return
    yield schema
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        yield from _parts(root, root.get("$defs", {}).get(reference.removeprefix("#/$defs/")))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, []):
            yield from _parts(root, part)
