"""A child run, as the run that started it sees its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keystroke.domain.states import Status


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended. `output` is its recorded output, secrets sealed; `error` its failure, None where it has none.

    `status` is None where the run is not kept any more: then nothing else is known.
    """

    run_id: str
    workflow: str
    status: Status | None
    output: Any = None
    error: dict[str, Any] | None = None
