"""Operator's tokens: only who knows the deployment's secret can make one, and none lasts longer than five minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lib.secrets.operator_tokens import MOST_SECONDS, is_valid, new_token
from tests.unit.fakes import NOW

SECRET = "s" * 32


def test_a_token_lasts_as_long_as_it_says() -> None:
    """To the second; and the secret is not in it."""
    token = new_token(SECRET, NOW, 60)
    assert SECRET not in token
    assert is_valid(token, SECRET, NOW)
    assert is_valid(token, SECRET, NOW.replace(microsecond=0) + timedelta(seconds=59))
    assert not is_valid(token, SECRET, NOW.replace(microsecond=0) + timedelta(seconds=60))


def test_no_token_lasts_longer_than_five_minutes() -> None:
    """Neither one that was asked for, nor a genuine one whose time has not come yet."""
    token = new_token(SECRET, NOW, 86_400)
    assert is_valid(token, SECRET, NOW)
    assert not is_valid(token, SECRET, NOW + timedelta(seconds=MOST_SECONDS + 1))
    assert not is_valid(new_token(SECRET, NOW + timedelta(hours=1)), SECRET, NOW)


@pytest.mark.parametrize("change", [(4, "9"), (13, "9"), (-1, "x"), (-1, "0"), (-1, "1")])
def test_a_changed_token_is_none(change: tuple[int, str]) -> None:
    """Whatever was changed: its end, or its hash."""
    token = list(new_token(SECRET, NOW))
    at, to = change
    if token[at] == to:
        to = "2"
    token[at] = to
    assert not is_valid("".join(token), SECRET, NOW)


@pytest.mark.parametrize(
    "text", ["", "hgo_", "hgo_1_2", "hg_" + "x" * 38, "hgo_" + "9" * 400, "hgo_\u0661_" + "0" * 64]
)
def test_anything_else_is_none(text: str) -> None:
    """And breaks nothing."""
    assert not is_valid(text, SECRET, NOW)


def test_another_deployments_token_is_none() -> None:
    """The hash hangs on the secret."""
    assert not is_valid(new_token("t" * 32, NOW), SECRET, NOW)
