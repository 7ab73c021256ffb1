"""Cursors: opaque, exact, and of no use to who changes them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.http.paging import DEFAULT_LIMIT, MOST_LIMIT, PageQuery, decode_cursor, encode_cursor
from lib.kernel.errors import BadRequest
from tests.unit.strategies import JSON, TEXT


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_cursor_leads_back_to_its_place(position: list[str]) -> None:
    """Whatever a list is sorted by: names of any script, times, ids."""
    cursor = encode_cursor(position)
    assert decode_cursor(cursor, ["" for _ in position]) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_no_cursor_is_the_start() -> None:
    """The first page needs none."""
    assert decode_cursor(None, ["~"]) == ["~"]


@given(JSON.filter(lambda value: not (isinstance(value, list) and all(isinstance(part, str) for part in value))))
def test_another_value_is_refused(value: object) -> None:
    """Only a list of texts is a place."""
    with pytest.raises(BadRequest):
        decode_cursor(cursor_of(value), ["", ""])


@given(st.lists(TEXT, max_size=5).filter(lambda parts: len(parts) != 2))
def test_a_cursor_of_another_list_is_refused(parts: list[str]) -> None:
    """It has another number of parts."""
    with pytest.raises(BadRequest) as caught:
        decode_cursor(cursor_of(parts), ["", ""])
    assert caught.value.param == "cursor"


@given(st.text(max_size=60))
@example("=")
@example("A")
@example("é")
@example(cursor_of("[" * 900))
@example(base64.b64encode(b"[" * 1400).decode())
@example(base64.b64encode(b"9" * 1400).decode())
@example(base64.b64encode(json.dumps(["a"]).encode("utf-16")).decode())
def test_any_text_is_a_place_or_refused(text: str) -> None:
    """Who tampers with a cursor gets a 400, never a 500."""
    try:
        position = decode_cursor(text, [""])
    except BadRequest:
        return
    assert [type(part) for part in position] == [str]


@given(st.lists(st.text(st.characters()), min_size=2, max_size=2))
@example(["\ud800", ""])
def test_a_place_can_be_bound_to_sql(parts: list[str]) -> None:
    """A forged cursor may hold half a surrogate pair, which no store can take: it is refused here, not there."""
    try:
        position = decode_cursor(cursor_of(parts), ["", ""])
    except BadRequest:
        return
    assert [part.encode() for part in position]


@pytest.mark.parametrize("limit", [0, -1, MOST_LIMIT + 1, "many", None])
def test_a_limit_is_bounded(limit: object) -> None:
    """Nobody reads a whole table at once."""
    with pytest.raises(ValidationError):
        PageQuery.model_validate({"limit": limit})


def test_limits_have_a_default() -> None:
    """20 by default, 100 at most."""
    assert PageQuery().limit == DEFAULT_LIMIT == 20
    assert PageQuery.model_validate({"limit": "100"}).limit == 100


def test_an_endless_cursor_is_refused() -> None:
    """It is checked for its length before it is decoded."""
    with pytest.raises(ValidationError):
        PageQuery(cursor="A" * 2001)
