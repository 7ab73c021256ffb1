"""Queries that are wrong or meant to hurt: lists, cursors, days."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.shapes import assert_error


def cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


LISTS = ["/api/v1/keys", "/api/v1/models", "/api/v1/usage", "/api/v1/usage/records", "/api/v1/ledger"]
MADE_UP: list[Any] = [None, {}, [1, 2, 3], ["a"] * 9]
QUERIES = [
    *("limit=0", "limit=101", "limit=-1", "limit=x", "limit=1e2", "limit=", "limit=99999999999999999999", "limit=NaN"),
    *("cursor=", "cursor=x", "cursor=%ff", "cursor=%00", "cursor=é", "cursor=" + "A" * 2001),
    *("nothing=1", "limit=5&nothing=%20", "&".join(f"a{i}=1" for i in range(60))),
    *(f"cursor={cursor(made_up)}" for made_up in MADE_UP),
    f"cursor={base64.urlsafe_b64encode(b'[' * 1400).decode()}",
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", QUERIES)
def test_an_odd_query(headgate: Headgate, path: str, query: str) -> None:
    """What a list can't understand in its query is a 400."""
    assert_error(headgate.call("GET", f"{path}?{query}"), 400, openai=False)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("text", ["\ud800", "\x00", "'; DROP TABLE orgs; --", "😀", "\uffff"])
def test_a_cursor_that_we_did_not_make(headgate: Headgate, path: str, text: str) -> None:
    """A made-up cursor of the right form points somewhere or is refused; no text in it does harm."""
    for parts in (1, 2, 3):
        answer = headgate.get(path, cursor=cursor([text] * parts))
        assert answer.status_code in {200, 400}, answer.text
    assert headgate.get(path).status_code == 200


ODD_WISHES = [
    *("from=yesterday", "to=2026-13-01", "from=2026-02-30", "from=", "to=%00", "from=1771000000"),
    *("from=2026-05-02&to=2026-05-01", "from=2020-01-01&to=2026-01-01"),
    *("group_by=hour", "group_by=day,day,day,day,day,day,day,day,day,day,day"),
    *("model=%ff", "model=" + "a" * 257, "key_id=" + "a" * 37),
]


@pytest.mark.parametrize("query", ODD_WISHES)
def test_an_odd_wish_for_usage(headgate: Headgate, query: str) -> None:
    """Days that do not exist, ranges that make no sense and unknown groups are a 400."""
    assert_error(headgate.call("GET", f"/api/v1/usage?{query}"), 400, openai=False)


@pytest.mark.parametrize("path", ["/api/v1/usage", "/api/v1/usage/records"])
@pytest.mark.parametrize("query", ["from=9999-12-31&to=9999-12-31", "to=0001-01-01", "from=0001-01-01&to=0001-01-02"])
def test_the_ends_of_the_calendar(headgate: Headgate, path: str, query: str) -> None:
    """The first and last days that a date can name are an empty answer or a 400."""
    answer = headgate.call("GET", f"{path}?{query}")

    assert answer.status_code in {200, 400}, answer.text
