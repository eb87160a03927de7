"""Reading server-sent events."""

from __future__ import annotations

from keystroke.client.events import Event, parse_events


def test_events_are_read_and_the_rest_is_passed_over() -> None:
    text = 'retry: 2000\n\n: still here\n\nevent: log\nid: 3.7\ndata: {"body":"a: b"}\n\nevent: end\ndata: {}\n\nevent: log\n'
    assert list(parse_events(text.splitlines())) == [
        Event("log", {"body": "a: b"}, "3.7"),
        Event("end", {}, None),
    ]
