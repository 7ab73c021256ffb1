"""Identifiers: UUIDv7, unique, sorted by the time they were made."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.kernel.clock import SystemClock
from lib.kernel.ids import is_id, new_id
from tests.unit.fakes import NOW

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - its bounds


@given(TIMES)
def test_it_is_a_uuid_of_version_7(time: datetime) -> None:
    """RFC 9562, 5.7: the version is 7, the variant is RFC 4122's, the form is canonical."""
    text = new_id(time)
    value = UUID(text)
    assert str(value) == text
    assert (value.version, value.variant) == (7, RFC_4122)
    assert is_id(text)


@given(st.integers(1577836800000, 2**31 * 1000))
def test_it_begins_with_the_milliseconds(milliseconds: int) -> None:
    """The first 48 bits are the time, to the millisecond (after 2038 a float may round it down by one)."""
    time = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    assert UUID(new_id(time)).int >> 80 == milliseconds


@given(TIMES, TIMES)
def test_ids_sort_as_their_times(one: datetime, other: datetime) -> None:
    """As text, so that a store needs no other order."""
    early, late = sorted([one, other])
    if (late - early).total_seconds() >= 0.001:
        assert new_id(early) < new_id(late)


def test_ids_of_one_moment_differ() -> None:
    """74 random bits each; and all of those bits are used."""
    ids = {UUID(new_id(NOW)).int for _ in range(2000)}
    assert len(ids) == 2000
    ever, always = 0, (1 << 128) - 1
    for value in ids:
        ever, always = ever | value, always & value
    random = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    assert (ever & ~always) & random == random


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        "019df2f7bc5371df8bd4a62170911d62",
        "019DF2F7-BC53-71DF-8BD4-A62170911D62",
        "019df2f7-bc53-41df-8bd4-a62170911d62",
        "019df2f7-bc53-71df-cbd4-a62170911d62",
        "{019df2f7-bc53-71df-8bd4-a62170911d62}",
        "019df2f7-bc53-71df-8bd4-a62170911d62\n",
        " 019df2f7-bc53-71df-8bd4-a62170911d6",
        "\u066019df2f7-bc53-71df-8bd4-a62170911d6",  # an Arabic digit
    ],
)
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    """Other versions, other forms, and other digits."""
    assert not is_id(text)


def test_the_clock_is_in_utc() -> None:
    """A time without its zone would be wrong on somebody's machine."""
    assert SystemClock().now().tzinfo is UTC
