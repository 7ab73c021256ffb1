"""Forged cursors: whatever they hold, the answer is a page or a 400, never a defect."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.world import new_world

# How many texts are in the place of each list.
LISTS = {"/api/v1/keys": 1, "/api/v1/models": 1, "/api/v1/usage": 3, "/api/v1/usage/records": 2, "/api/v1/ledger": 2}
# Texts that PostgreSQL can't hold; D1 refuses them too, so that both stores answer alike.
UNSTORABLE = ["\0", "a\0b", "\ud800", "a\udfff", "\ude00\ud83d"]
WRONG_TIMES = [
    "yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "~", "9" * 40, "2026-05-04T25:00:00Z",
    "\u0662\u0660\u0662\u0666-05-04T",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "+2026-05-04", "2026-05-04T12:30:15.123456Z; --", " ",
]  # fmt: skip


def cursor_of(parts: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def status(path: str, cursor: str) -> tuple[int, object]:
    answer = new_world().ask("GET", f"{path}?cursor={quote(cursor)}")
    return answer.status, answer.body.get("error", {}).get("code")


@pytest.mark.parametrize(("path", "parts"), LISTS.items())
@pytest.mark.parametrize("text", UNSTORABLE, ids=ascii)
def test_a_text_that_no_store_holds_is_refused(path: str, parts: int, text: str) -> None:
    """Wherever in the cursor it stands."""
    for at in range(parts):
        place = ["2026-05-04T12:30:15.123456Z"] * parts
        place[at] = text
        assert status(path, cursor_of(place)) == (400, "invalid_request")


@pytest.mark.parametrize("time", WRONG_TIMES, ids=ascii)
def test_a_time_that_is_none_is_refused(time: str) -> None:
    """The list of single requests begins at a time."""
    assert status("/api/v1/usage/records", cursor_of([time, "x"])) == (400, "invalid_request")


@pytest.mark.parametrize(
    "time", ["", "2026-05-04T12:30:15.123456Z", "2026-05-04T14:30:15+02:00", "2026-05-04", "2026-05-04T12:30:15"]
)
def test_a_time_is_taken_however_it_is_written(time: str) -> None:
    """Without one the list begins at its end."""
    assert status("/api/v1/usage/records", cursor_of([time, "x"])) == (200, None)


@pytest.mark.parametrize(("path", "parts"), LISTS.items())
def test_the_cursor_of_another_list_is_refused(path: str, parts: int) -> None:
    """It has another number of parts."""
    for number in {0, 1, 2, 3, 4} - {parts}:
        assert status(path, cursor_of(["x"] * number)) == (400, "invalid_request")


@settings(max_examples=60)
@given(st.sampled_from(sorted(LISTS)), st.lists(st.text(max_size=20), min_size=3, max_size=3))
def test_any_cursor_is_a_place_or_refused(path: str, texts: list[str]) -> None:
    """Of the right length and with any texts in it."""
    assert status(path, cursor_of(texts[: LISTS[path]]))[0] in {200, 400}


@pytest.mark.parametrize("query", ["model=%00", "key_id=a%00b", "model=%ED%A0%80"])
@pytest.mark.parametrize("path", ["/api/v1/usage", "/api/v1/usage/records"])
def test_a_filter_that_no_store_holds_is_no_defect(path: str, query: str) -> None:
    """400, or nothing is found by what the address was decoded to."""
    answer = new_world().ask("GET", f"{path}?{query}")
    assert answer.status == 400 or (answer.status, answer.data) == (200, [])
