"""The token of a hook is hidden wherever it stands, in whatever is shown or captured to be shown."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keystroke.domain import presentation
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.failure import Failure, Frame
from keystroke.domain.label import storable
from keystroke.domain.run import Progress, Run, TimelineEntry
from keystroke.domain.secrets import HOOK_TOKEN, TOKEN_LENGTH, redact, redact_tokens
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus, StepTry
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem, exact
from keystroke.execution.failures import describe, message_of
from keystroke.execution.journal import Phase
from keystroke.execution.trace_buffer import TraceBuffer, log_line
from keystroke.settings import Settings
from keystroke.telemetry.logs import configure_logging
from support.sources import ROOT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HIDDEN = frozenset({"password"})
tokens = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32).map(lambda text: f"hkt_{text}")
around = st.text(st.characters(codec="utf-8"), max_size=20)
texts = st.builds(lambda before, token, after: before + token + after, around, tokens, around)
values = st.recursive(
    texts | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | around, inner, max_size=4),
    max_leaves=12,
)
plain = st.recursive(
    st.text().filter(lambda text: "hkt_" not in text) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def holds_token(value: Any) -> bool:
    """Whether the JSON of the value could be read for a token."""
    return HOOK_TOKEN.search(json.dumps(value, default=str)) is not None


@given(texts)
def test_no_text_keeps_a_token(text: str) -> None:
    shown = redact_tokens(text)
    assert not holds_token(shown)
    assert "hkt_[redacted]" in shown


@given(values)
def test_no_value_keeps_a_token_in_any_depth_or_key(value: Any) -> None:
    assert not holds_token(redact_tokens(value))
    assert not holds_token(redact_tokens((value, [value])))
    assert not holds_token(redact(value, HIDDEN))
    assert not holds_token(redact({"within": value}, frozenset()))


@given(plain)
def test_what_holds_no_token_stays_as_it_is(value: Any) -> None:
    assert redact_tokens(value) == value
    assert redact(value, frozenset()) == value


@given(texts, st.integers(min_value=1, max_value=200))
def test_text_that_is_cut_was_cleared_before(text: str, longest: int) -> None:
    """What is left of a token where a text was cut would still tell most of it."""
    for cut in (storable(text, longest), message_of(ValueError(" " * 7_980 + text))):
        start = cut.find("hkt_")
        assert start < 0 or cut[start + 4 : start + 5] in ("[", " ", "")
    body = log_line(NOW, "INFO", " " * 16_370 + text, "stdout", None, None).body
    assert "hkt_" not in body or body[body.index("hkt_") + 4] in "[ "


@given(texts, values)
def test_no_record_shows_a_token(text: str, value: Any) -> None:
    failure = Failure(text, text, text, (Frame(text, 1, text, text),), text).as_json()
    assert not holds_token(failure)
    error = {**failure, "message": text, "args": [value]}
    actor, usage = (
        Actor("api_key", "key_1", text),
        UsageItem("other", text, exact("1", "quantity"), text, exact("1", "cost"), "USD"),
    )
    run = Run(
        "run_1", "workflow", text, text, text, text, Status.FAILED, Reason.USER_ERROR,
        Trigger("api", text, text, text, value, NOW), actor, NOW, NOW, NOW, NOW, NOW, 1, 0, 0, 1, 1, exact("1", "cost"), "USD",
        Progress(0.5, text, NOW), None, "run_1", None, None, None, text, 0, text, None, "0" * 32, value, value, error,
        {text: text}, (usage,),
    )  # fmt: skip
    step = Step(
        text, text, text, StepKind.ACTION, StepStatus.FAILED, 1, "digest", NOW, NOW, value, value, error,
        tries=(StepTry(1, error, NOW, NOW),),
    )  # fmt: skip
    span = Span(
        "1" * 16,
        None,
        text,
        "internal",
        NOW,
        NOW,
        "ok",
        {text: [text]},
        ({"name": text, "attributes": {text: text}},),
    )
    assert not holds_token(presentation.run_json(run, HIDDEN))
    assert not holds_token(presentation.summary_json(run, HIDDEN))
    assert not holds_token(presentation.step_json(step, HIDDEN))
    assert not holds_token(presentation.span_json(span, "0" * 32))
    assert not holds_token(presentation.log_json(LogLine(NOW, "INFO", text, text)))
    assert not holds_token(presentation.progress_json(Progress(None, text, NOW)))
    entry = TimelineEntry(NOW, "answer", Status.QUEUED, None, 1, text, actor)
    assert not holds_token(presentation.timeline_json(entry))


@given(texts)
def test_nothing_captured_keeps_a_token(text: str) -> None:
    buffer = TraceBuffer(10)
    attributes: dict[str, Any] = {text: text, "several": [text, text]}
    buffer.add_span(
        Span(
            "1" * 16,
            None,
            text,
            "client",
            NOW,
            NOW,
            "ok",
            attributes,
            ({"name": text, "attributes": attributes},),
        )
    )
    buffer.add_line(log_line(NOW, "INFO", text, text, None, None), Phase.LIVE)
    spans, lines = buffer.drain()
    assert not holds_token(
        [spans[0].name, spans[0].attributes, spans[0].events, lines[0].body, lines[0].logger]
    )
    assert not holds_token(describe(ValueError(text), ROOT).as_json())


@given(texts)
def test_the_platforms_own_log_keeps_no_token(text: str) -> None:
    root, quiet = logging.getLogger(), logging.getLogger("somebody")
    handlers, level = root.handlers[:], root.level
    try:
        for log_format in ("json", "console"):
            stream = io.StringIO()
            configure_logging(Settings(log_format=log_format), "api", stream)
            try:
                raise ValueError(text)
            except ValueError as error:
                quiet.error("asked for /hooks/%s", text, exc_info=error)
            assert HOOK_TOKEN.search(stream.getvalue()) is None
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)


def test_a_token_has_its_length() -> None:
    assert len("hkt_" + "a" * 32) == TOKEN_LENGTH
