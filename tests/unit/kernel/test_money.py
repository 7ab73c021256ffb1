"""Dollars as decimal strings: exact in both directions, and strict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.kernel.money import nano_usd, usd


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0.00"), (20 * 10**9, "20.00"), (18_400_000, "0.0184"), (1, "0.000000001"), (-1_500_000_000, "-1.50")],
)
def test_as_people_write_it(nano: int, text: str) -> None:
    assert usd(nano) == text


@given(st.integers(min_value=0, max_value=2**53))
def test_there_and_back(nano: int) -> None:
    assert nano_usd(usd(nano)) == nano


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "1.", ".5", "01", "1.0000000001", "1,5", "$1", "٣", " 1", "1\n", "NaN"]
)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="dollars"):
        nano_usd(text)
