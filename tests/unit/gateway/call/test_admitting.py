"""The gate's answer as a grant or an error, with the headers that tell a caller where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from lib.admission.protocol import Answer
from lib.gateway.call.admitting import Admitted, RequestsRefused, admitted
from lib.kernel.errors import PaymentRequired, TooManyRequests

RATES = {
    "requests": [10, 3, 60_000, 1_001],
    "tokens": [500, 0, 1_500, 2_000],
    "concurrent": [4, 1, 0, 0],
}


def test_without_rules_nothing_is_granted_and_nothing_told() -> None:
    """The client gets no headers of ours."""
    assert admitted(None) == Admitted(None, {})


def test_who_is_let_in_learns_where_it_stands() -> None:
    """Windows and times are rounded up to seconds; what is counted at once has no window."""
    grant = admitted(Answer("", "", 0, 77, (RATES, 0)))
    assert grant.output_tokens == 77
    assert grant.headers == {
        "ratelimit-policy": '"requests";q=10;w=60, "tokens";q=500;w=2, "concurrent";q=4',
        "ratelimit": '"requests";r=3;t=2, "tokens";r=0;t=2, "concurrent";r=1;t=0',
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-limit-tokens": "500",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
        "x-headgate-budget-remaining": "0",
    }


@pytest.mark.parametrize(
    ("code", "wait_ms", "again"),
    [
        ("requests_limit_reached", 1, "1"),
        ("requests_limit_reached", 1000, "1"),
        ("tokens_limit_reached", 1001, "2"),
        ("tokens_limit_reached", -1, None),
        ("concurrent_limit_reached", -1, "1"),
    ],
)
def test_a_limit_refuses_and_says_when_there_may_be_room(code: str, wait_ms: int, again: str | None) -> None:
    """Rounded up; no time is told to a call that never passes."""
    with pytest.raises(TooManyRequests) as raised:
        admitted(Answer(code, "lim-1", wait_ms, None, (RATES, None), about=["Ann's", 700, 30, 500, None]))
    error = raised.value
    detail = {"limit_id": "lim-1", "name": "Ann's", "needs": 700, "remaining": 30, "limit": 500}
    assert (error.status, error.code, error.details) == (429, code, [detail])
    assert error.facts == {"rule_id": "lim-1", "bound": 700, "remaining": 30}
    numbers = "this call needs about 700, 30 of 500 left" if code.startswith("tokens") else "500 at most"
    seconds = f", try again in {again} s." if again else "."
    assert error.message.endswith(f'The limit "Ann\'s" (lim-1) is reached: {numbers}{seconds}')
    assert error.headers.get("retry-after") == again
    assert error.headers["x-ratelimit-limit-requests"] == "10"
    assert "x-headgate-budget-remaining" not in error.headers


MIDNIGHT = 1_796_083_200_000  # 2026-12-01
NEEDS = "does not cover this call: it needs up to $0.0184, $0.0155 left"


@pytest.mark.parametrize(
    ("code", "told", "message"),
    [
        ("budget_exceeded", ["Ours", 18_400_000, 15_500_000, 10**9, None], f'The budget "Ours" (bud-1) {NEEDS}.'),
        (
            "budget_exceeded",
            [None, 18_400_000, 15_500_000, 10**9, MIDNIGHT],
            f"The budget bud-1 {NEEDS}, resets 2026-12-01T00:00:00Z.",
        ),
        (
            "cost_unknown",
            ["Ours", None, 15_500_000, 10**9, None],
            'Nobody can tell what this call may cost at most, so the budget "Ours" (bud-1) refuses it: $0.0155 left.',
        ),
    ],
)
def test_a_budget_refuses_for_good(code: str, told: list[Any], message: str) -> None:
    """402, which no SDK tries again by itself. It says the numbers: in words, as data, and to the log."""
    answer = Answer(code, "bud-1", -1, None, ({}, 12), about=told)
    with pytest.raises(PaymentRequired) as raised:
        admitted(answer)
    error = raised.value
    assert (error.status, error.code, error.message) == (402, code, message)
    [detail] = error.details
    assert (detail["budget_id"], detail["name"], detail["limit_usd"]) == ("bud-1", told[0], "1.00")
    assert (detail["needs_nano_usd"], detail["remaining_nano_usd"]) == (told[1], told[2])
    assert (detail["needs_usd"], detail["remaining_usd"]) == ("0.0184" if told[1] else None, "0.0155")
    assert detail["resets_at"] == (None if told[4] is None else "2026-12-01T00:00:00Z")
    assert error.facts == {"rule_id": "bud-1", "bound": told[1], "remaining": told[2]}
    assert error.headers == {"x-headgate-budget-remaining": "12", "x-headgate-cost": "0"}


def test_a_refusal_that_holds_for_all_calls_at_a_place_says_so() -> None:
    """The client is told the same; the place is for our own memory. Without a time it is none."""
    answer = Answer("requests_limit_reached", "lim-1", 900, None, (RATES, None), ("key", "k", None))
    with pytest.raises(RequestsRefused) as raised:
        admitted(answer)
    refused = raised.value
    assert (refused.rule, refused.place, refused.wait_ms) == ("lim-1", ("key", "k", None), 900)
    assert (refused.code, refused.details[0]["limit_id"]) == ("requests_limit_reached", "lim-1")
    assert refused.facts["rule_id"] == "lim-1"
    assert list(refused.rate) == RATES["requests"]
    assert refused.headers["retry-after"] == "1"
    with pytest.raises(TooManyRequests) as never:
        admitted(answer._replace(wait_ms=-1))
    assert not isinstance(never.value, RequestsRefused)
