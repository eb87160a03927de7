"""A `RunFilter` as SQL: one condition per filter, values always as parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, get_args

from keystroke.clock import to_micros
from keystroke.domain.actor import TriggerType
from keystroke.domain.filters import RunFilter
from keystroke.domain.usage import to_nano
from keystroke.ids import RUN_ID_PREFIX

#: Text is searched in the runs of the last days, unless `since` says more.
_SEARCH_DAYS: Final = timedelta(days=30)
#: The first character after all that a run id may go on with.
_AFTER_IDS: Final = "{"
_COLUMNS: Final = {
    "status": "runs.status", "kind": "runs.kind", "workflow": "runs.workflow", "actor": "runs.actor_id",
    "deployment": "runs.deployment_id", "error": "runs.fingerprint", "parent": "runs.parent_run_id",
}  # fmt: skip
_TRIGGER_TYPES: Final = frozenset(get_args(TriggerType))
#: `source-slug:workflow-slug`; what else has a colon is a replay or a tool call.
_ATTACHMENT: Final = re.compile(r"(?!replay:|workflow_tool:)[^:]+:[^:]+\Z")
# As the index `runs_by_trigger` has it.
_OF_SOURCES: Final = "'webhook', 'schedule', 'poll'"
#: An attempt that goes on has not added its steps to the row yet.
STEP_COUNT: Final = (
    "(case when runs.status = 'running' then (select count(*) from steps where steps.run_id = runs.id) "
    "else runs.step_count end)"
)
_DURATION: Final = "(coalesce(runs.finished_at, {now}) - runs.started_at)"
_BOUNDS: Final = {
    "min_cost": "runs.cost_nano >=", "max_cost": "runs.cost_nano <=",
    "min_duration": f"{_DURATION} >=", "max_duration": f"{_DURATION} <=",
    "min_steps": f"{STEP_COUNT} >=", "max_steps": f"{STEP_COUNT} <=",
    "since": "runs.created_at >=", "until": "runs.created_at <=",
}  # fmt: skip


@dataclass(slots=True)
class Conditions:
    """Conditions joined by `and`, with their parameters."""

    clauses: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def add(self, clause: str, **parameters: Any) -> None:
        """One more condition."""
        self.clauses.append(clause)
        self.parameters.update(parameters)

    def add_choice(self, column: str, name: str, values: Sequence[str]) -> None:
        """The column is one of the values. A single one is an equality, so that an index also gives the order."""
        if len(values) == 1:
            self.add(f"{column} = :{name}", **{name: values[0]})
        else:
            self.add(f"{column} {{in:{name}}}", **{name: list(values)})

    @property
    def text(self) -> str:
        """The whole condition."""
        return " and ".join(self.clauses) or "1 = 1"


def conditions_of(wanted: RunFilter) -> Conditions:
    """What the filter asks of a row of `runs` (projects apart: they belong to the scope)."""
    conditions = Conditions()
    for name, column in _COLUMNS.items():
        values = getattr(wanted, name)
        if values:
            conditions.add_choice(column, name, values)
    for name, comparison in _BOUNDS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.add(f"{comparison} :{name}", **{name: _number(name, value)})
    _add_trigger(conditions, wanted.trigger)
    _add_usage(conditions, "model", wanted.model)
    _add_usage(conditions, "service", wanted.service)
    _add_tags(conditions, wanted.tag)
    _add_search(conditions, wanted)
    return conditions


def _add_trigger(conditions: Conditions, wanted: tuple[str, ...]) -> None:
    """Types, attachments, and other raw values. What comes of sources has an index of its own, which is named in its words."""
    types = [each for each in wanted if each in _TRIGGER_TYPES]
    attachments = [each for each in wanted if _ATTACHMENT.match(each)]
    others = [each for each in wanted if each not in types and each not in attachments]
    either: list[str] = []
    if types:
        either.append("runs.trigger_type {in:trigger_types}")
    if attachments:
        either.append(f"(runs.trigger_type in ({_OF_SOURCES}) and runs.trigger_value {{in:attachments}})")
    if others:
        either.append("runs.trigger_value {in:trigger_values}")
    if either:
        given = {"trigger_types": types, "attachments": attachments, "trigger_values": others}
        named = {name: values for name, values in given.items() if values}
        conditions.add(f"({' or '.join(either)})", **named)


def _number(name: str, value: Any) -> int:
    if name.endswith("cost"):
        return to_nano(value)
    if name.endswith("duration"):
        return int(value) * 1000
    return to_micros(value) if name in ("since", "until") else int(value)


def _add_usage(conditions: Conditions, kind: str, names: tuple[str, ...]) -> None:
    if names:
        conditions.add(
            f"exists (select 1 from usage_items used where used.run_id = runs.id and used.project_id = runs.project_id "
            f"and used.kind = '{kind}' and used.name {{in:{kind}}})",
            **{kind: list(names)},
        )


def _add_tags(conditions: Conditions, tags: tuple[tuple[str, str], ...]) -> None:
    """Values of one key are alternatives; different keys all have to hold."""
    by_key: dict[str, list[str]] = {}
    for key, value in tags:
        by_key.setdefault(key, []).append(value)
    for at, (key, values) in enumerate(by_key.items()):
        conditions.add(
            f"exists (select 1 from run_tags tagged where tagged.run_id = runs.id "
            f"and tagged.key = :tag_key{at} and tagged.value {{in:tag_values{at}}})",
            **{f"tag_key{at}": key, f"tag_values{at}": values},
        )


def _add_search(conditions: Conditions, wanted: RunFilter) -> None:
    """A run id or its beginning, else words that all occur somewhere in what describes the run."""
    text = (wanted.q or "").strip()
    if not text:
        return
    if RUN_ID_PREFIX.match(text):
        conditions.add("runs.id >= :q_first and runs.id < :q_after", q_first=text, q_after=text + _AFTER_IDS)
        return
    if wanted.since is None:
        span = _SEARCH_DAYS // timedelta(microseconds=1)
        conditions.add("runs.created_at >= {now} - :q_span", q_span=span)
    for at, word in enumerate(text.lower().split()[:10]):
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        conditions.add(
            f"(lower(runs.workflow_name) like :q{at} escape '\\' or lower(runs.trigger_label) like :q{at} escape '\\' "
            f"or lower(runs.error_message) like :q{at} escape '\\' or lower(runs.tags) like :q{at} escape '\\')",
            **{f"q{at}": pattern},
        )
