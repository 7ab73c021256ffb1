"""A stream that breaks off ends in one error event, at whatever byte it broke off."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway import sse
from lib.gateway.sse_ending import error_ending

ERROR = json.dumps({"message": "it broke off", "type": "server_error", "param": None, "code": "upstream_broke_off"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def decoded(stream: bytes) -> list[object]:
    """Return the data of all events, as an SDK reads them."""
    found = [sse.data(stream[start:end]) for start, end in sse.events(stream)]
    return [json.loads(text.decode()) for text in found if text and text != b"[DONE]"]


@given(
    document=st.dictionaries(st.text(), JSON, max_size=5),
    ascii_only=st.booleans(),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
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
