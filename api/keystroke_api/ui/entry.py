"""An input as it was entered into a form or written as JSON, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keystroke.errors import InvalidInput, KeystrokeError, NotJson, PayloadTooLarge
from keystroke_api.refusals import InvalidJson
from keystroke_api.strict_json import parse_json
from keystroke_api.ui.schema_fields import ROOT, entered_value, fits_form

#: What a start says of an input that the form can show again.
REFUSALS: Final = (InvalidInput, NotJson, PayloadTooLarge)


@dataclass
class Entry:
    """What was entered, and what is wrong with it by field; a new form has neither."""

    entered: Mapping[str, str] | None = None
    json: str | None = None
    by_field: dict[str, list[str]] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether something is wrong."""
        return bool(self.by_field or self.whole)

    def read(self, schema: dict[str, Any]) -> Any:
        """The JSON value that was entered; None where it is none, which is `refused`."""
        if self.json is None:
            value, self.by_field = (
                entered_value(schema, self.entered or {}) if fits_form(schema) else ({}, {})
            )
            return value
        try:
            return parse_json(self.json.encode())
        except InvalidJson as error:
            self.whole.append(str(error))
            return None

    def refuse(self, refused: KeystrokeError) -> None:
        """Keep what a start found wrong: at its field where that is in the form."""
        for each in refused.errors if isinstance(refused, InvalidInput) else ():
            name = ROOT + each.path.removeprefix("$")
            known = self.json is None and name in (self.entered or {})
            (self.by_field.setdefault(name, []) if known else self.whole).append(
                each.message if known else f"{each.path}: {each.message}"
            )
        if not isinstance(refused, InvalidInput):
            self.whole.append(str(refused))
