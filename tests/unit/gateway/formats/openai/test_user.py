"""For whom a call is made, as the ledger can keep it."""

from __future__ import annotations

import pytest

from lib.admission.rules import MOST_END_USER, NAMELESS
from lib.gateway.formats.openai.user import end_user
from lib.store.dialect import checked


@pytest.mark.parametrize("name", ["a", "é😀", "x" * MOST_END_USER])
def test_a_plain_name_is_kept(name: str) -> None:
    assert end_user({"user": name}) == name


@pytest.mark.parametrize("name", ["x" * (MOST_END_USER + 1), "a\0b", "a\nb", "\ud800", "\udfff\x7f"])
def test_what_the_ledger_could_not_hold_becomes_a_hash(name: str) -> None:
    """Otherwise anybody could make a record that no store takes."""
    found = end_user({"user": name})
    assert found is not None
    assert len(found) == 64
    assert checked(found) == found
    assert end_user({"user": name}) == found


@pytest.mark.parametrize("wrong", [5, 0, True, False, [], {}, ["ann"], {"id": "ann"}, 1.5])
def test_what_is_no_text_names_nobody(wrong: object) -> None:
    """But somebody is meant: where end users are counted, such a call would count on none."""
    assert end_user({"user": wrong}) == end_user({"safety_identifier": wrong, "user": "ann"}) == NAMELESS


@pytest.mark.parametrize("json", [{}, {"user": ""}, {"user": None}, {"safety_identifier": None}])
def test_no_name_is_none(json: dict[str, object]) -> None:
    assert end_user(json) is None


def test_the_safety_identifier_comes_first() -> None:
    assert end_user({"user": "u", "safety_identifier": "s"}) == "s"
