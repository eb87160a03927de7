"""What a source brings in a test: deliveries and ticks, recorded and routed as by a server, and the runs that they start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keystroke.authoring.poll import Poll
from keystroke.authoring.source import Source
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.payload import decode_payload, encode_payload
from keystroke.domain.post import Post
from keystroke.domain.source import Outcome
from keystroke.domain.trigger_event import TriggerEvent
from keystroke.operations.invoke_trigger import Firing, invoke_trigger
from keystroke.operations.receive_delivery import key_of
from keystroke.operations.route_delivery import Arrival, route
from keystroke.store import polls, sources, trigger_events
from keystroke.testing.answering import answer_json
from keystroke.testing.engine import Engine
from keystroke.testing.problems import KitProblem
from keystroke.testing.stubs import NOTHING
from keystroke.testing.test_run import TestRun

_JSON: Final = {"content-type": "application/json"}
#: An address for documentation (RFC 5737).
_SENDER: Final = "192.0.2.1"


class TestEvent:
    """A delivery or a tick, and what came of it."""

    __test__ = False  # pytest: no class of tests

    def __init__(self, engine: Engine, source: Source, event_id: str, *, duplicate: bool = False) -> None:
        """Made by `TestKit.deliver`, `fire` and `tick`; of a duplicate the id is that of the earlier delivery."""
        self._engine = engine
        self._source = source
        self._duplicate = duplicate
        self.id = event_id

    def __repr__(self) -> str:
        """What has become of it, for the message of a failed assertion."""
        why = f": {self.error}" if self.error else ""
        return f"<{self._source.subject}: {self.outcome}, {len(self.runs)} runs{why}>"

    @property
    def outcome(self) -> Outcome | None:
        """What it came to: `fired`, `filtered`, `rejected`, `duplicate`, `unrouted`, or `error` where a poll failed."""
        return "duplicate" if self._duplicate else self._record.outcome

    @property
    def runs(self) -> list[TestRun]:
        """The runs that it started, in their order."""
        return [TestRun(self._engine, run_id) for run_id in self._record.run_ids]

    @property
    def run(self) -> TestRun:
        """The one run that it started; KitProblem where it is none, or more than one."""
        runs = self.runs
        if len(runs) != 1:
            raise KitProblem(what=f"{self!r} started {len(runs)} runs, not one")
        return runs[0]

    @property
    def error(self) -> Any:
        """What was wrong with a delivery (`{code, detail, errors}`), or why a poll failed (`{type, message, …}`)."""
        return self._record.error

    @property
    def state(self) -> Any:
        """The poll's state by now, as its model; None where there is none yet."""
        codec = self._source.state_codec if isinstance(self._source, Poll) else None
        if codec is None:
            raise KitProblem(what=f"{self._source.subject} keeps no state")
        slug, project = self._source.slug, self._engine.project
        found = self._engine.read(
            lambda tx: polls.state_of(tx, row.id) if (row := sources.of_slug(tx, project.id, slug)) else None
        )
        return None if found is None else codec.load(decode_payload(found.body), self._engine.box, "state")

    @property
    def _record(self) -> TriggerEvent:
        engine, slug = self._engine, self._source.slug

        def read(tx: Any) -> TriggerEvent:
            row = sources.of_slug(tx, engine.project.id, slug)
            assert row is not None, "deployed with its event"
            return trigger_events.get_event(engine.scope, tx, row, self.id)

        return engine.read(read)


def deliver(
    engine: Engine,
    webhook: Source,
    payload: Any,
    headers: Mapping[str, str] | None,
    query: Mapping[str, str] | None,
) -> TestEvent:
    """What an API does with a post whose sender is known; the runs are queued."""
    if webhook.kind != "webhook":
        raise KitProblem(what=f"{webhook.subject} is not posted to; fire it, or tick it")
    body = (
        payload
        if isinstance(payload, bytes)
        else encode_payload(answer_json(payload), what="payload").encode()
    )
    sent = _JSON | {name.lower(): value for name, value in (headers or {}).items()}
    post = Post("POST", sent, dict(query or {}), body, _SENDER)
    with engine.database.transaction() as tx:
        row = sources.of_slug(tx, engine.project.id, webhook.slug)
        assert row is not None, "deployed just now"
        endpoint = str(webhook.options["endpoint"])
        arrival = Arrival(engine.project, endpoint, post, [row], shared=False, key=key_of([row], post))
        routed = route(tx, arrival, engine.settings, engine.box)
    engine.runs += [each.run_id for each in routed.started]
    return TestEvent(engine, webhook, routed.delivery_id, duplicate=routed.duplicate)


def fire(engine: Engine, source: Source, payload: Any) -> TestEvent:
    """What an API does for somebody who fires by hand: runs are queued, or a poll's tick."""
    given = payload is not NOTHING
    firing = Firing(LOCAL_OWNER, gives_payload=given, payload=answer_json(payload) if given else None)
    row = engine.read(lambda tx: sources.of_slug(tx, engine.project.id, source.slug))
    assert row is not None, "deployed just now"
    invoked = invoke_trigger(engine.database, engine.project, row.id, firing, engine.settings, engine.box)
    engine.runs += [each.run_id for each in invoked.started]
    return TestEvent(engine, source, invoked.event_id)
