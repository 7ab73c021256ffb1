"""A steady client finds a refusal wrong exactly where what its rules can have counted leaves room."""

from __future__ import annotations

from typing import Any

import pytest

from tools.soak_calls import KINDS, Outcome, cost_of
from tools.soak_checks import Findings
from tools.soak_rules import Budget
from tools.soak_steady import HELD_SECONDS, Steady

KIND = KINDS[0]
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}
BOUND, COST = 10_000, cost_of(USAGE)


def outcome(status: int, ended: float = 1.0, **fields: Any) -> Outcome:
    usage = USAGE if status == 200 else None
    return Outcome("key", KIND, BOUND, ended - 0.5, status=status, end="whole", usage=usage, ended=ended, **fields)


def steady(limit: int, *, narrow: bool = True) -> Steady:
    return Steady("key", "dz", Budget("b", {"type": "key", "id": "k"}, "total", limit, 0), narrow)


@pytest.mark.parametrize(
    ("before", "kills", "status", "limit", "wrong"),
    [
        ([], [], 402, BOUND, True),
        ([], [], 402, BOUND - 1, False),
        ([200], [], 402, BOUND + COST, True),
        ([200], [], 402, BOUND + COST - 1, False),
        ([200], [1.5], 402, BOUND + COST, False),
        ([200], [9.0], 402, BOUND + COST, True),
        ([0], [], 402, 2 * BOUND - 1, False),
        ([0], [], 402, 2 * BOUND, True),
        ([503], [], 402, BOUND, True),
        ([200], [], 429, 0, True),
        ([200], [1.5], 429, 0, False),
        ([0], [], 429, 0, False),
        ([503], [], 429, 0, True),
    ],
)
def test_a_refusal_is_judged_by_what_may_be_counted(
    before: list[int], kills: list[float], status: int, limit: int, wrong: bool
) -> None:
    client, found = steady(limit), Findings()
    for past in before:
        assert not client.note(outcome(past), kills, found)
    assert client.note(outcome(status, ended=5.0), kills, found) is (status == 402)
    assert (found.wrong_refusals, len(found.wrong)) == ((1, 1) if wrong else (0, 0))


def test_what_broke_off_is_held_no_longer_than_its_deadline() -> None:
    client, found = steady(0), Findings()
    client.note(outcome(0), [], found)
    client.note(outcome(429, ended=HELD_SECONDS + 9), [], found)
    assert found.wrong_refusals == 1


def test_one_with_wide_rules_is_never_refused() -> None:
    client, found = steady(10**15, narrow=False), Findings()
    client.note(outcome(0), [1.0], found)
    for status in (402, 429):
        client.note(outcome(status, ended=2.0), [1.0], found)
    assert found.wrong_refusals == 2
