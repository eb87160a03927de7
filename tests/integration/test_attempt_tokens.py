"""What code says of a hook's token is hidden when it is captured; what it hands to steps stays true on record."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from keystroke.domain import presentation
from keystroke.domain.states import Status
from keystroke.store.sql import Sql
from support.attempts import MakeRig, Rig

TOKEN = "hkt_abcdefghijklmnopqrstuvwxyz234567"
SOURCE = """
    @action
    def send(link: str) -> str:
        from opentelemetry import trace
        with trace.get_tracer("demo").start_as_current_span(f"send {link}") as span:
            span.set_attribute("link", link)
            span.set_attribute("links", [link, link])
            span.add_event(link, {"link": link})
            logging.getLogger("demo").warning("sent to %s", link)
        return link

    @action
    def refuse(link: str) -> None:
        raise ValueError(f"{link} is refused")

    @workflow("told")
    def told(token: str, ctx: Context) -> str:
        link = send(f"https://example.com/hooks/{token}")
        ctx.progress(0.5, f"sent {link}")
        ctx.tags["link"] = link
        print("go to", link)
        sys.stdout.write(token[:10])
        sys.stdout.write(token[10:] + " in two parts\\n")
        sys.stdout.write("x" * 66_000 + token[:20])
        sys.stdout.write(token[20:] + " behind a long line\\n")
        print("y" * 16_370 + token)
        print(token, file=sys.stderr, end="")
        refuse(link)
        return link
"""


@pytest.fixture
def rig(make_rig: MakeRig) -> Iterator[Rig]:
    """A run that says its token in every way there is, made to its end."""
    return make_rig(SOURCE)


def test_a_token_is_captured_nowhere_and_displayed_nowhere(rig: Rig) -> None:
    run = rig.run_through("told", TOKEN)
    assert run.status is Status.FAILED
    steps, spans, lines = rig.steps(run.id), rig.spans(run.id), rig.logs(run.id)
    assert steps["send#0"].output == f"https://example.com/hooks/{TOKEN}", "replay needs what was returned"
    captured = json.dumps([
        [(span.name, span.attributes, span.events) for span in spans],
        [(line.body, line.logger) for line in lines], run.error and run.error["message"],
        run.progress and run.progress.message,
    ])  # fmt: skip
    assert "hkt_abc" not in captured
    assert captured.count("hkt_[redacted]") >= 10
    assert any(line.body.endswith("hkt_[redacted] in two parts") for line in lines)
    assert any(line.body.endswith("hkt_[redacted] behind a long line") for line in lines)
    hidden = frozenset[str]()
    shown = json.dumps([
        presentation.run_json(run, hidden), [presentation.step_json(step, hidden) for step in steps.values()],
        [presentation.span_json(span, run.trace_id) for span in spans], [presentation.log_json(line) for line in lines],
    ])  # fmt: skip
    assert "hkt_abc" not in shown
    with rig.database.read() as tx:
        kept = tx.value(Sql("select body from run_payloads where name = 'input'"))
    assert json.loads(kept) == TOKEN
