"""A history to look at: runs in every status, with steps, logs, spans, costs, errors, and payloads that are hard to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from keystroke.clock import from_micros
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.failure import Failure, Frame
from keystroke.domain.lease import Lease
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.outcome import Completed, Failed, HandedBack, Suspended
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepStatus, StepTry
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_step import note_running_steps, record_step
from keystroke.operations.record_trace import record_trace
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.expiry import now
from support.starts import GREET, Stage, make_stage

SIGNUP_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "description": "Who signed up.", "minLength": 1},
        "email": {"type": "string", "title": "E-mail", "format": "email"},
        "seats": {"type": "integer", "title": "Seats", "minimum": 1, "maximum": 9_007_199_254_740_993, "default": 1},
        "plan": {"enum": ["free", "team", "enterprise"], "title": "Plan", "default": "team"},
        "newsletter": {"type": "boolean", "title": "Newsletter", "default": True},
        "password": {"type": "string", "title": "Password", "writeOnly": True},
        "address": {"$ref": "#/$defs/Address"},
        "labels": {"type": "array", "items": {"type": "string"}, "title": "Labels"},
    },
    "required": ["name", "email"],
    "$defs": {
        "Address": {
            "type": "object", "title": "Address",
            "properties": {"city": {"type": "string", "title": "City"}, "zip": {"type": "string", "title": "ZIP"}},
        }
    },
}  # fmt: skip
SIGNUP = WorkflowManifest(
    "signup-pipeline", "Signup pipeline", "Research a signup, score it, and write a brief for the sales team.",
    SIGNUP_SCHEMA, {"type": "object"}, max_attempts=3, tags={"team": "sales"}, source="workflows/signup_pipeline.py:8",
)  # fmt: skip
CHARGE = WorkflowManifest(
    "charge-card", "Charge a card", "Charge a customer's card, and send the receipt.", {}, {}, queue="default"
)
REPORT = WorkflowManifest("long-report", "Long report", "Read a long report, section by section.", {}, {})

#: What payloads may hold, all of which has to be shown right and harmlessly.
NASTY: dict[str, Any] = {
    "<script>alert(1)</script>": "</script><img src=x onerror=alert(1)>",
    "emoji": "🎹 naïve 東京 👩‍👩‍👧",
    "direction": "safe\u202egnp.exe",
    "escape": "\x1b[31mred\x1b[0m",
    "big": 9_223_372_036_854_775_807,
    "float": 0.1,
    "nothing": None,
    "yes": True,
    "empty": [{}, [], ""],
    "yaml": "no: yes\n- trap",
    "password": "hunter2",
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "template": "{{ 7 * 7 }} {% raw %}",
}


#: Identity, begin and end in milliseconds, output.
_SIGNUP_STEPS: tuple[tuple[str, int, int, Any], ...] = (
    ("research#0", 0, 820, {"findings": "Grace works at example.com."}),
    ("score#0", 830, 1210, 72),
    ("write_brief#0", 1215, 1600, {"brief": "Grace Hopper scores 72 of 100.", "score": 72}),
)


def showcase_stage(database: Database, settings: Settings) -> Stage:
    """A stage with several workflows."""
    return make_stage(database, settings, GREET, SIGNUP, CHARGE, REPORT)


def deep(levels: int) -> Any:
    """Lists and objects inside of each other."""
    value: Any = "bottom"
    for level in range(levels):
        value = {"in": value} if level % 2 else [value]
    return value


def _id(number: int) -> str:
    return f"{number + 1:016x}"


class Showcase:
    """Makes runs of each kind; each method gives the run's id."""

    def __init__(self, stage: Stage) -> None:
        """On a stage with the showcase's workflows."""
        self.stage = stage
        #: The lease of the run that `running` made last.
        self.lease: Lease

    def fill(self) -> dict[str, str]:
        """One run of each kind, by the name of the kind."""
        return {
            "greeted": self.greeted(), "charged": self.declined(), "signed_up": self.signed_up(),
            "sleeping": self.sleeping(), "canceled": self.canceled(), "handed_back": self.handed_back(),
            "nasty": self.nasty(), "running": self.running(), "queued": self.queued(),
        }  # fmt: skip

    def now(self) -> datetime:
        """The database's time."""
        with self.stage.database.read() as tx:
            return from_micros(now(tx))

    def greeted(self, output: Any = None, value: Any = None) -> str:
        """A small success."""
        lease = self.stage.start_and_claim(value=value)
        self.stage.finish(lease, Completed({"greeting": "hello, Ada"} if output is None else output))
        return lease.run_id

    def queued(self) -> str:
        """One that waits for a worker."""
        return self.stage.start("long-report", {"sections": 30}, priority=-10).run_id

    def canceled(self) -> str:
        """One that was canceled before it began."""
        run_id = self.stage.start("long-report", {"sections": 3}).run_id
        cancel_run(self.stage.database, self.stage.scope, run_id, LOCAL_OWNER, self.stage.settings)
        return run_id

    def sleeping(self) -> str:
        """One that tries again later."""
        lease = self.stage.start_and_claim("signup-pipeline", value={"name": "Bo", "email": "bo@example.com"})
        self.stage.finish(lease, Suspended(Reason.SLEEP, timedelta(hours=1)))
        return lease.run_id

    def handed_back(self) -> str:
        """One whose worker shut down, and which another one finished."""
        lease = self.stage.start_and_claim()
        self.stage.finish(lease, HandedBack())
        again = self.stage.claim()
        assert again is not None
        self.stage.finish(again)
        return lease.run_id

    def declined(self) -> str:
        """A failure with frames."""
        lease = self.stage.start_and_claim(
            "charge-card", value={"customer": "Ada Lovelace", "card": "declined", "api_key": "sk-1"},
            tags={"customer": "acme"},
        )  # fmt: skip
        failure = Failure(
            "CardDeclined", "The card of Ada Lovelace was declined: insufficient funds.", Reason.USER_ERROR,
            (
                Frame("workflows/charge_card.py", 17, "charge_card", "return charge(order.customer, order.card)"),
                Frame("actions/charge.py", 14, "charge", 'raise CardDeclined(f"The card of {customer} was declined")'),
            ),
            "charge#0",
        )  # fmt: skip
        began = self.now()
        step = self._step(
            "charge#0", began, began + timedelta(milliseconds=340), {"customer": "Ada Lovelace"}, None
        )
        failed = replace(step, status=StepStatus.FAILED, error=failure.as_json())
        record_step(self.stage.database, lease, failed, self.stage.settings)
        self._logs(lease, ["Charging Ada Lovelace", "The bank said no"], "charge#0", "ERROR")
        self.stage.finish(lease, Failed(failure, Reason.USER_ERROR))
        return lease.run_id

    def signed_up(self) -> str:
        """A success with steps, a retried one among them, spans, logs and costs."""
        value = {"name": "Grace Hopper", "email": "grace@example.com", "password": "navy"}
        lease = self.stage.start_and_claim(
            "signup-pipeline", value=value, tags={"customer": "acme", "region": "eu"}
        )
        at = self.now()
        spans = [self._signup_step(lease, number, at) for number in range(len(_SIGNUP_STEPS))]
        whole = at + timedelta(milliseconds=1610)
        http = Span(_id(9), _id(2), "GET example.com", "client", at, at + timedelta(milliseconds=610), "ok")
        attempt = Span(
            _id(1), _id(0), "attempt 1", "internal", at, whole, "ok", {"keystroke.outcome": "completed"}
        )
        root = Span(
            _id(0), None, "signup-pipeline", "internal", at, whole, "ok", {"keystroke.run_id": lease.run_id}
        )
        spans += [replace(http, attributes={"http.response.status_code": 200}), attempt, root]
        record_trace(self.stage.database, lease, spans, [], self.stage.settings)
        self._logs(lease, ["Looking up example.com", "Asking the scoring service"], "research#0", "INFO")
        self.stage.finish(lease, Completed({"brief": "Grace Hopper scores 72 of 100.", "score": 72}))
        return lease.run_id

    def _signup_step(self, lease: Lease, number: int, at: datetime) -> Span:
        """Record one of its steps with what it cost; gives its span."""
        identity, begin, end, output = _SIGNUP_STEPS[number]
        began, ended = at + timedelta(milliseconds=begin), at + timedelta(milliseconds=end)
        step = self._step(identity, began, ended, {"email": "grace@example.com"}, output)
        usage = [UsageItem("model", "mini", Decimal(1200), "tokens", Decimal("0.0042"), "USD", identity)]
        if identity == "score#0":
            error = Failure("ConnectionError", "scoring.example refused the connection").as_json()
            tried = StepTry(1, error, began, began + timedelta(milliseconds=120))
            step, usage = replace(step, attempt=2, tries=(tried,)), []
        record_step(self.stage.database, lease, step, self.stage.settings, usage)
        marked = {"keystroke.step": identity}
        return Span(_id(number + 2), _id(1), identity, "internal", began, ended, "ok", marked)

    def running(self) -> str:
        """One at work, with progress, a finished step and a running one."""
        lease = self.stage.start_and_claim("long-report", value={"sections": 30, "seconds_per_section": 1.0})
        self.lease, at = lease, self.now()
        first = self._step("read_section#0", at, at + timedelta(milliseconds=20), {"number": 1}, 251)
        record_step(self.stage.database, lease, first, self.stage.settings)
        second = replace(
            first, identity="read_section#1", status=StepStatus.RUNNING, finished_at=None, output=None
        )
        note_running_steps(self.stage.database, lease, [second], self.stage.settings)
        record_progress(self.stage.database, lease, 0.4, "Read section 12 of 30")
        self._logs(lease, ["Reading section 1", "Reading section 2"], "read_section#0", "INFO")
        return lease.run_id

    def long(self, steps: int, lines: int) -> str:
        """A success with many steps and log lines."""
        lease = self.stage.start_and_claim("long-report", value={"sections": steps})
        at = self.now()
        for number in range(steps):
            began = at + timedelta(milliseconds=number)
            step = self._step(f"read_section#{number}", began, began, {"number": number}, number)
            record_step(self.stage.database, lease, step, self.stage.settings)
        self._logs(lease, [f"line {number}" for number in range(lines)], "read_section#0", "INFO")
        self.stage.finish(lease)
        return lease.run_id

    def nasty(self) -> str:
        """A success with payloads, logs and tags that try to break the page."""
        lease = self.stage.start_and_claim("charge-card", value=NASTY, tags={"<b>x</b>": "<i>y</i>"})
        self._logs(
            lease, ["<script>alert(1)</script>", "two\nlines", "\x1b[31mred\u202egnp"], "charge#0", "WARNING"
        )
        self.stage.finish(
            lease, Completed({"deep": deep(150), "many": list(range(5_000)), "long": "x" * 20_000})
        )
        return lease.run_id

    def _step(self, identity: str, began: datetime, ended: datetime, value: Any, output: Any) -> Step:
        name = identity.partition("#")[0]
        return Step(
            identity, name, name, StepKind.ACTION, StepStatus.SUCCESS, 1, "d", began, ended, value, output
        )

    def _logs(self, lease: Lease, bodies: list[str], step: str, severity: str) -> None:
        lines = [LogLine(self.now(), severity, body, "stdout", None, step) for body in bodies]
        record_trace(self.stage.database, lease, [], lines, self.stage.settings)
