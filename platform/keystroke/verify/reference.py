"""How code names a secret without having it: `env:NAME`, a variable of the API process, or `operator:NAME`, kept encrypted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

SecretOrigin = Literal["env", "operator"]
#: What a secret may be called, in both places.
SECRET_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}\Z")
_REFERENCE: Final = re.compile(r"(env|operator):(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is kept, and its name there."""

    origin: SecretOrigin
    name: str

    def __str__(self) -> str:
        """`env:SIGNUP_SECRET`, as it is written."""
        return f"{self.origin}:{self.name}"

    @classmethod
    def parse(cls, text: object) -> SecretReference:
        """Read a reference; ValueError says how one is written, without what was given: that may be the secret itself."""
        found = _REFERENCE.match(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError('a secret is named, never written: "env:NAME" or "operator:NAME"')
        if not SECRET_NAME.match(found[2]):
            raise ValueError(
                f"the name behind {found[1]}: must be letters, digits, _ and -, up to 100, not a digit first"
            )
        return cls("env" if found[1] == "env" else "operator", found[2])
