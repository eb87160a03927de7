"""What each page shows, as data: the template gets it, and `?format=json` gives it. Each field says what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page; not part of its JSON."""

    title: Annotated[str, "Title of the page."]
    section: Annotated[str, "Part of the navigation that it belongs to, such as `history`; empty for none."]
    who: Annotated[str | None, "Name of whoever is looking; None where nobody was identified."]
    may_change: Annotated[bool, "Whether starting and canceling are offered."]
    theme: Annotated[str, "`light` or `dark` where the reader chose; empty: as the system says."]
    assets: Annotated[str, "Path of the stylesheet and the scripts."]
    token: Annotated[str, "Token that forms have to carry."]


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go."""

    label: Annotated[str, "What it says."]
    url: Annotated[str, "Where it leads, relative to this server."]
    current: Annotated[bool, "Whether the reader is there already."] = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that may be chosen in a form."""

    value: Annotated[str, "What is sent."]
    label: Annotated[str, "What it says."]
    chosen: Annotated[bool, "Whether it is chosen now."]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is in force."""

    label: Annotated[str, "The filter in words, such as `Status: Failed`."]
    remove_url: Annotated[str, "The same list without it."]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the list shows it."""

    record: Annotated[Record, "The run as the API's lists give it."]
    sentence: Annotated[str, "Why it is where it is."]
    elapsed_ms: Annotated[int | None, "Its duration, of an active run until now; None before its start."]
    active: Annotated[bool, "Whether it has not ended yet."]


@dataclass(frozen=True, slots=True)
class Empty:
    """What is said instead of an empty list."""

    title: Annotated[str, "That there is nothing, and of what."]
    text: Annotated[str, "What to do next."]
    link: Annotated[Link | None, "Where to do it."]
    command: Annotated[str, "A command that does it, or nothing."]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """`/history`: the runs that fit the filters, newest first."""

    rows: Annotated[list[RunRow], "The runs."]
    columns: Annotated[list[Choice], "Every column; the chosen ones are shown."]
    views: Annotated[list[Link], "Saved views."]
    chips: Annotated[list[Chip], "The filters in force."]
    statuses: Annotated[list[Choice], "Statuses to filter by."]
    workflows: Annotated[list[Choice], "Workflows to filter by, of all projects."]
    projects: Annotated[list[Choice], "Projects to filter by."]
    triggers: Annotated[list[Choice], "Types of trigger to filter by."]
    periods: Annotated[list[Choice], "Periods of creation to filter by."]
    text: Annotated[dict[str, str], "The other filters as they were typed, by name."]
    kept: Annotated[list[tuple[str, str]], "Parameters that the filter form leaves as they are."]
    prefix: Annotated[str, "Query of links to a run in the panel, up to and including `run=`."]
    here: Annotated[str, "This list, without panel."]
    clear_url: Annotated[str, "The list without filters."]
    newest_url: Annotated[str | None, "First part of the list, where this is another."]
    older_url: Annotated[str | None, "Next part of the list."]
    empty: Annotated[Empty | None, "What to say where no run fits."]
    panel: Annotated[RunPage | None, "The run that is looked at beside the list."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the waterfall."""

    name: Annotated[str, "Name of the span or step."]
    depth: Annotated[int, "How deep it is nested, from 0 to 12."]
    kind: Annotated[str, "`run`, `attempt`, `step`, `wait`, `copied` (a step of another run) or `span`."]
    status: Annotated[str, "`ok`, `error`, `running`, `retrying` or `unset`."]
    offset_ms: Annotated[int, "Milliseconds from the first span's start."]
    duration_ms: Annotated[int, "Its length; of a running one until now."]
    x: Annotated[float, "Where its bar begins, in thousandths of the width."]
    width: Annotated[float, "Length of its bar, in thousandths of the width."]
    detail: Annotated[Record, "The span or step as the API gives it."]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Spans and steps over time."""

    bars: Annotated[list[Bar], "Lines, parents before their children."]
    ticks: Annotated[
        list[tuple[float, str]], "Marks of the time axis: thousandths of the width, and what stands there."
    ]
    left_out: Annotated[int, "Lines that are not drawn, since there are too many."]


@dataclass(frozen=True, slots=True)
class Logs:
    """Log lines of a run."""

    lines: Annotated[
        list[Record], "The newest lines that fit, oldest first; `offset_ms` since the start of the run."
    ]
    levels: Annotated[list[Choice], "Least severity to be shown."]
    steps: Annotated[list[Choice], "Steps to filter by."]
    text: Annotated[str, "Text to filter by."]
    left_out: Annotated[int, "Lines that fit, but are older than those shown."]
    total: Annotated[int, "Lines on record."]


@dataclass(frozen=True, slots=True)
class Relative:
    """A run that another one comes from, or that came out of it."""

    kind: Annotated[str, "What it is to the run: `Parent`, `Root`, `Replay of`, `Child` or `Replay`."]
    id: Annotated[str, "Its id."]
    url: Annotated[str, "Its page."]
    row: Annotated[RunRow | None, "The run; None where it is no longer kept, or not for this reader."]
    step: Annotated[str, "Of a child: the step that started it."]


@dataclass(frozen=True, slots=True)
class Relatives:
    """Where a run comes from, and what came out of it."""

    above: Annotated[list[Relative], "Parent, root where that is another run, and the run that it replays."]
    children: Annotated[list[Relative], "Runs that it started, the first of them."]
    children_total: Annotated[int, "How many it started."]
    children_url: Annotated[str, "All of them."]
    replays: Annotated[list[Relative], "Its replays, the first of them."]
    replays_total: Annotated[int, "How many replays it has."]
    replays_url: Annotated[str, "All of them."]


@dataclass(frozen=True, slots=True)
class RunPage:
    """`/history/{run}`, and the panel beside the list."""

    record: Annotated[Record, "The run as the API gives it, with the parts that the tab shows."]
    sentence: Annotated[str, "Why it is where it is."]
    elapsed_ms: Annotated[int | None, "Its duration, of an active run until now; None before its start."]
    active: Annotated[bool, "Whether it has not ended yet."]
    tab: Annotated[str, "`overview`, `metadata` or `trace`."]
    tabs: Annotated[list[Link], "The tabs."]
    view: Annotated[str, "How payloads are written: `json` or `yaml`."]
    views: Annotated[list[Link], "The other ways to write them."]
    url: Annotated[str, "The run's own page."]
    here: Annotated[str, "Where the page is looked at: as panel, the list with it."]
    events_url: Annotated[str, "Stream of what happens to it from now on."]
    close_url: Annotated[str | None, "The list without the panel; None on the run's own page."]
    workflow_url: Annotated[str, "Page of its workflow."]
    trigger_url: Annotated[str | None, "Page of its trigger."]
    event_url: Annotated[str | None, "Page of the delivery or the tick that started it."]
    payloads: Annotated[bool, "Whether the reader may see input and output."]
    steps_left_out: Annotated[int, "On the tab `overview`: steps that are older than those shown."]
    waterfall: Annotated[Waterfall | None, "On the tab `trace`."]
    logs: Annotated[Logs | None, "On the tab `trace`."]
    hooks: Annotated[list[HookRow], "On the tab `overview`: hooks that want an answer."]
    failed_step: Annotated[str | None, "First step that failed, where the run has ended without success."]
    relatives: Annotated[Relatives | None, "On the tabs `overview` and `metadata`."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow as the list shows it."""

    definition: Annotated[Record, "The workflow as it was published."]
    project: Annotated[str, "Slug of its project."]
    url: Annotated[str, "Its page."]
    last: Annotated[Record | None, "Its newest run: `{id, status, at}`."]
    finished: Annotated[int, "How many of its newest runs have finished, successfully or not."]
    succeeded: Annotated[int, "How many of them successfully."]


@dataclass(frozen=True, slots=True)
class WorkflowsPage:
    """`/workflows`: what can be started."""

    rows: Annotated[list[WorkflowRow], "Workflows of all projects, by project and slug."]
    several: Annotated[bool, "Whether there is more than one project."]
    empty: Annotated[Empty | None, "What to say where nothing was published."]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form that starts a run."""

    name: Annotated[str, "Name in the form: the way to the value, its parts joined by dots."]
    label: Annotated[str, "What it is called."]
    help: Annotated[str, "What the schema says about it."]
    kind: Annotated[
        str, "`text`, `long`, `number`, `integer`, `choice`, `flag`, `secret`, `json` or `group`."
    ]
    required: Annotated[bool, "Whether it has to be given."]
    value: Annotated[str, "What stands in it."]
    hint: Annotated[str, "Its type and bounds in words."]
    choices: Annotated[list[Choice], "Of a choice: the values."]
    errors: Annotated[list[str], "What is wrong with what was entered."]
    fields: Annotated[list[Field], "Of a group: its fields."]


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """`/workflows/{slug}`: one workflow, the form that starts it, its last runs."""

    row: Annotated[WorkflowRow, "The workflow."]
    fields: Annotated[list[Field], "The form, made from the input's schema."]
    as_json: Annotated[str | None, "The input as JSON, where that is how it is entered."]
    switch_url: Annotated[str, "The same page with the other way to enter the input."]
    errors: Annotated[list[str], "What is wrong with the input as a whole."]
    command: Annotated[str, "The start on the command line."]
    facts: Annotated[list[tuple[str, str]], "Options of the workflow, in words."]
    runs: Annotated[list[RunRow], "Its newest runs."]
    runs_url: Annotated[str, "All of its runs."]
    triggers: Annotated[list[Record], "What starts it by itself: `{name, kind, url, mark, health, next_at}`."]


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """`/history/{run}/replay`: the form that replays a run with its input edited."""

    record: Annotated[Record, "Of the run: `{id, workflow, workflow_name, project, status}`."]
    url: Annotated[str, "The run's page."]
    from_step: Annotated[str, "The step to begin with; empty: the beginning."]
    steps: Annotated[list[Choice], "Where the replay can begin."]
    fields: Annotated[
        list[Field], "The form, made from the input's schema and filled with what is on record."
    ]
    as_json: Annotated[str | None, "The input as JSON, where that is how it is entered."]
    switch_url: Annotated[str, "The same page with the other way to enter the input; empty for none."]
    errors: Annotated[list[str], "What is wrong with the input as a whole."]


@dataclass(frozen=True, slots=True)
class ReferencePage:
    """`/docs`: the HTTP API, from its OpenAPI document."""

    title: Annotated[str, "Name and version."]
    groups: Annotated[list[Record], "Routes by subject: `{name, routes}`."]
    schemas: Annotated[dict[str, Record], "JSON Schemas that the routes refer to, by name."]


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """Something did not work: the problem document that the API would have given."""

    problem: Annotated[Record, "The problem document (RFC 9457)."]
    headline: Annotated[str, "What happened, for people."]
    advice: Annotated[str, "What to do next."]
    links: Annotated[list[Link], "Where to go from here."]


@dataclass(frozen=True, slots=True)
class HookRow:
    """A hook with the form that answers it."""

    hook: Annotated[Record, "The hook as the API gives it."]
    title: Annotated[str, "Its name as people read it."]
    about: Annotated[str, "What its schema says of the answer."]
    fields: Annotated[
        list[Field], "The form, made from its schema; empty where it takes no answer (any more)."
    ]
    errors: Annotated[list[str], "What is wrong with the answer as a whole."]
    url: Annotated[str, "Where the form is sent, and a page of its own."]
    run_url: Annotated[str, "The run that asks."]
    age_ms: Annotated[int, "How long ago it was asked."]


@dataclass(frozen=True, slots=True)
class HooksPage:
    """`/hooks`: what runs wait for from people and other systems."""

    rows: Annotated[list[HookRow], "Hooks that want an answer, newest first."]
    newest_url: Annotated[str | None, "First part of the list, where this is another."]
    older_url: Annotated[str | None, "Next part of the list."]
    empty: Annotated[Empty | None, "What to say where nothing waits."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class HookPage:
    """`/hooks/{id}/answer`: one hook."""

    row: Annotated[HookRow, "The hook."]
    sentence: Annotated[str, "Why it takes no answer; empty where it does."]


@dataclass(frozen=True, slots=True)
class LinkPage:
    """`/hooks/{token}`: what whoever has the link is asked. It tells nothing else of the run, and is no part of the app."""

    title: Annotated[str, "The hook's name as people read it."]
    workflow_name: Annotated[str, "Name of the workflow that asks."]
    status: Annotated[str, "`waiting`, `answered`, `expired` or `ended`."]
    about: Annotated[str, "What its schema says of the answer."]
    created_at: Annotated[str, "When it was asked."]
    expires_at: Annotated[str | None, "Until when it can be answered."]
    answered_at: Annotated[str | None, "When it was answered."]
    schema: Annotated[Record, "JSON Schema of the answer."]
    fields: Annotated[list[Field], "The form; empty where it takes no answer (any more)."]
    errors: Annotated[list[str], "What is wrong with the answer as a whole."]
    taken: Annotated[bool, "Whether the answer has just been taken."]


@dataclass(frozen=True, slots=True)
class LinkProblemPage:
    """`/hooks/{token}` where that did not work."""

    problem: Annotated[Record, "The problem document (RFC 9457)."]
    headline: Annotated[str, "What happened, for people."]
    advice: Annotated[str, "What to do next."]
