"""Finishing a JSON object that broke off: whatever the place, the text parses and carries the error."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.gateway.streams.partial_json import finish_with_error
from tests.unit.strategies import JSON_OBJECTS

ERROR: dict[str, object] = {"message": "it broke off", "code": "x"}
RAW_ERROR = json.dumps(ERROR).encode()


def finished(partial: bytes) -> Any:
    """Return the object that a client parses."""
    ending = finish_with_error(partial, RAW_ERROR)
    assert ending is not None
    return json.loads((partial + ending).decode())


@given(document=JSON_OBJECTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 2]), data=st.data())
def test_every_start_of_an_object_becomes_a_whole_one_with_the_error(
    document: dict[str, object], ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    """Inside a key, a text, an escape, a character, a number, a literal: anywhere before the last brace."""
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    partial = text[: data.draw(st.integers(1, len(text) - 1))]
    assert finished(partial)["error"] == ERROR


@given(document=JSON_OBJECTS, data=st.data())
def test_what_was_whole_before_the_break_is_kept(document: dict[str, object], data: st.DataObject) -> None:
    """Members that the client has got in full have their values."""
    whole = {f"k{index}": value for index, value in enumerate(document.values())}
    text = json.dumps({**whole, "last": "x" * 30}).encode()
    partial = text[: data.draw(st.integers(len(text) - 30, len(text) - 1))]
    found = finished(partial)
    assert {name: found[name] for name in whole} == whole


@given(JSON_OBJECTS)
def test_a_whole_object_is_left_alone(document: dict[str, object]) -> None:
    """There is nothing to finish, with spaces behind it or not."""
    text = json.dumps(document).encode()
    assert finish_with_error(text, RAW_ERROR) is None
    assert finish_with_error(text + b" \r\n", RAW_ERROR) is None


@pytest.mark.parametrize("text", [b"", b" ", b"[", b'[{"a":1', b'"a', b"1", b"tru", b"[DONE]", b"}", b"x{", b"{}{"])
def test_what_is_no_start_of_an_object_is_left_alone(text: bytes) -> None:
    """The error can be a member of an object only."""
    assert finish_with_error(text, RAW_ERROR) is None


@pytest.mark.parametrize(
    ("partial", "value"),
    [
        (rb'{"a":"\u00', "\x00"),
        (rb'{"a":"\u00e9', "é"),
        (rb'{"a":"\\', "\\"),
        (rb'{"a":"\\u00', "\\u00"),
        (rb'{"a":"\\\u0', "\\\x00"),
        (b'{"a":"\\', "\\"),
        (b'{"a":"\xc3', "\xc0"),
        (b'{"a":"\xe0', "\u0800"),
        (b'{"a":"\xe2\x82', "\u2080"),
        (b'{"a":"\xf0', "\U00010000"),
        (b'{"a":"\xf0\x9f\x98', "\U0001f600"),
        (b'{"a":"\xf4', "\U00100000"),
        (b'{"a":"\xed', "\ud000"),
        (b'{"a":-', 0),
        (b'{"a":1.', 1.0),
        (b'{"a":1e', 1.0),
        (b'{"a":1e-', 1.0),
        (b'{"a":12', 12),
        (b'{"a":t', True),
        (b'{"a":fals', False),
        (b'{"a":n', None),
        (b'{"a":', None),
        (b'{"a"', None),
        (b'{"a', None),
        (b'{"a" ', None),
        (b'{"a":[1,', [1, None]),
        (b'{"a":[[', [[]]),
        (b'{"a":{"b', {"b": None}),
        (b'{"a":{"b":1,', {"b": 1, "": None}),
        (b'{"a":{', {}),
    ],
)
def test_the_part_that_broke_off_is_completed_in_the_simplest_way(partial: bytes, value: object) -> None:
    """Half a character becomes a character, half a number a number; what has no value gets null."""
    assert finished(partial) == {"a": value, "error": ERROR}


@pytest.mark.parametrize("partial", [b"{", b"{ ", b'{"a":1,', b'{"a":1 , ', b'{"a":{},'])
def test_between_members_the_error_is_the_next_one(partial: bytes) -> None:
    """A comma that is there already is not written twice."""
    assert finished(partial)["error"] == ERROR


def test_the_providers_own_error_is_replaced() -> None:
    """Of two members of one name the last counts, in every client's parser."""
    assert finished(b'{"error":{"message":"ha')["error"] == ERROR


@given(st.binary(max_size=40))
@example(b'{"a":]')
@example(b'{]"')
@example(b'{"a":1]}"')
def test_bytes_that_are_no_json_break_nothing(text: bytes) -> None:
    """A provider may send anything: there is an answer, whatever it is worth."""
    for partial in (text, b"{" + text, b'{"a":"' + text):
        ending = finish_with_error(partial, RAW_ERROR)
        assert ending is None or ending.endswith(b'"error":' + RAW_ERROR + b"}")


@pytest.mark.parametrize("inner", [b"[" * 20_000, b'"' + b"x" * 200_000, b'"' + b"\\" * 200_000, b"1" * 100_000])
def test_time_grows_only_with_the_length(inner: bytes) -> None:
    """Deep, long or full of escapes: a hostile event must not hold up the isolate."""
    started = time.process_time()
    finish_with_error(b'{"a":' + inner, RAW_ERROR)
    assert time.process_time() - started < 2
