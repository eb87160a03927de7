"""What every error is made of: a type whose docstring is the sentence, and the places in a payload that it names."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar


class KeystrokeError(Exception):
    """Keystroke could not do what was asked."""

    #: Short stable name, used as the problem document's type.
    code: ClassVar[str] = "error"

    def __init__(self, **fields: Any) -> None:
        """Keep the fields as attributes and fill them into the docstring."""
        for name, value in fields.items():
            setattr(self, name, value)
        super().__init__(inspect.cleandoc(type(self).__doc__ or "").format(**fields))


@dataclass(frozen=True, slots=True)
class PathError:
    """One thing that is wrong with a payload: where (a JSONPath such as `$.email`) and what."""

    path: str
    message: str

    def as_json(self) -> dict[str, str]:
        """`{path, message}`, as in a problem document."""
        return {"path": self.path, "message": self.message}


def sum_up(errors: list[PathError]) -> str:
    """The first three errors in a line, and how many more there are."""
    shown = "; ".join(f"{error.path}: {error.message}" for error in errors[:3])
    return shown + (f" (and {len(errors) - 3} more)" if len(errors) > 3 else "")


class InvalidInput(KeystrokeError):
    """The input does not fit {what}: {summary}"""

    code = "invalid-input"
    what: str
    summary: str
    errors: list[PathError]

    def __init__(self, *, what: str, errors: list[PathError]) -> None:
        """Sum up the first three errors; all of them stay in `errors`."""
        super().__init__(what=what, summary=sum_up(errors), errors=errors)
