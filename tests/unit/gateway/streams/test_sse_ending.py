"""A stream that breaks off ends in one error event, at whatever byte it broke off."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.streams import sse
from lib.gateway.streams.sse_ending import error_ending
from tests.unit.strategies import JSON_OBJECTS, LINE_ENDS

ERROR = json.dumps({"message": "it broke off", "type": "server_error", "param": None, "code": "upstream_broke_off"})


def decoded(stream: bytes) -> list[object]:
    """Return the data of all events, as an SDK reads them."""
    found = [sse.data(stream[start:end]) for start, end in sse.events(stream)]
    return [json.loads(text.decode()) for text in found if text and text != b"[DONE]"]


@given(
    document=JSON_OBJECTS,
    ascii_only=st.booleans(),
    line_end=LINE_ENDS,
    data=st.data(),
)
def test_every_place_to_break_off_gives_events_that_parse_and_a_last_one_with_the_error(
    document: dict[str, object], ascii_only: bool, line_end: bytes, data: st.DataObject
) -> None:
    """Whatever part of an event the client has got, the whole stream parses and its last event carries the error."""
    event = b"data: " + json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "replace") + line_end * 2
    cut = data.draw(st.integers(0, len(event) - len(line_end) - 1))
    stream = b'data: {"first": 1}\n\n' + event[:cut]
    stream += error_ending(event[:cut], ERROR.encode())
    last = decoded(stream)[-1]
    assert isinstance(last, dict)
    assert last["error"] == json.loads(ERROR)


@pytest.mark.parametrize(
    "tail", [b": ping", b"event: message", b"id: 7", b"d", b"data", b"data:", b"data: ", b"data: 1"]
)
def test_a_line_that_is_not_an_object_still_ends_in_an_error(tail: bytes) -> None:
    """Comments, other fields and half a field name do not hide the error."""
    assert json.loads(ERROR) in [
        event["error"] for event in decoded(tail + error_ending(tail, ERROR.encode())) if isinstance(event, dict)
    ]


def test_an_end_mark_that_broke_off_is_finished() -> None:
    """When only the end mark is cut, everything was said: the client gets the mark, not an error."""
    assert b"data: [DO" + error_ending(b"data: [DO", ERROR.encode()) == b"data: [DONE]\n\n"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_behind_a_whole_event_the_error_is_an_event_of_its_own(line_end: bytes) -> None:
    """Nothing is under way, or only a line end that may be half of one."""
    for tail in (b"", line_end):
        assert error_ending(tail, b"{}").lstrip(b"\n") == b'data: {"error":{}}\n\n'


@pytest.mark.parametrize("end", range(1, 12))
def test_an_event_over_several_data_lines_ends_in_an_error_too(end: int) -> None:
    """A provider may write an event's JSON over several lines; wherever it breaks off, the last event is the error."""
    lines = json.dumps({"choices": [{"delta": {"content": "hi"}}], "usage": None}, indent=1).splitlines()
    tail = "\n".join(f"data: {line}" for line in lines[:end]).encode()
    stream = tail + error_ending(tail, ERROR.encode())
    *_, (start, stop) = sse.events(stream)
    assert json.loads(sse.data(stream[start:stop]))["error"] == json.loads(ERROR)


@given(document=JSON_OBJECTS, data=st.data())
def test_what_is_appended_ends_the_stream(document: dict[str, object], data: st.DataObject) -> None:
    """Nothing is left under way behind it, so a client that waits for the end of an event gets it."""
    event = b"data: " + json.dumps(document).encode()
    tail = event[: data.draw(st.integers(0, len(event)))]
    stream = tail + error_ending(tail, ERROR.encode())
    assert sse.last_boundary(stream) == len(stream)


def test_an_endless_event_is_not_finished_but_followed_by_the_error() -> None:
    """Finishing reads byte by byte, so it is bounded; the error still comes, as an event of its own."""
    tail = b'data: {"a":"' + b"x" * (257 * 1024)
    assert error_ending(tail, b"{}") == b'\n\ndata: {"error":{}}\n\n'
