"""Top-ups and overrides: what a budget comes to at each moment, and that nothing is admitted beyond that."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.admission.book import Book
from lib.admission.budget import BudgetCounter
from lib.admission.decision import Ask, Refusal
from lib.admission.rules import MOST_AMOUNT, Adjustment, Budget, Policy, Subject, effective
from tests.unit.admission.test_budget import BEGIN, PAUSES, WINDOWS, Spender

TIMES = st.none() | st.integers(0, 200_000).map(lambda later: BEGIN + later)
ADJUSTMENTS = st.builds(Adjustment, st.booleans(), st.integers(0, 60), TIMES)
STEPS = st.lists(
    st.tuples(st.sampled_from(["admit", "admit", "end", "wait", "change", "restart"]), st.integers(0, 90), PAUSES),
    max_size=30,
)


def budget(window: str, adjustments: Sequence[Adjustment], most: int = 50) -> Budget:
    return Budget("b", Subject("org", "o"), window, most, hard=True, adjustments=tuple(adjustments))


def amount(adjustments: Sequence[Adjustment], now: int) -> int:
    """The amount, step by step: from the oldest to the newest."""
    base, added = 50, 0
    for one in reversed(adjustments):
        if one.until_ms is None or now < one.until_ms:
            base, added = (one.amount, added) if one.override else (base, added + one.amount)
    return base + added


@pytest.mark.parametrize(
    ("adjustments", "expected"),
    [
        ([], 50),
        ([Adjustment(override=False, amount=5, until_ms=None)], 55),
        ([Adjustment(override=False, amount=5, until_ms=11), Adjustment(override=False, amount=7, until_ms=10)], 55),
        ([Adjustment(override=True, amount=0, until_ms=None)], 0),
        ([Adjustment(override=True, amount=9, until_ms=11), Adjustment(override=True, amount=8, until_ms=None)], 9),
        ([Adjustment(override=True, amount=9, until_ms=10), Adjustment(override=True, amount=8, until_ms=None)], 8),
        ([Adjustment(override=True, amount=9, until_ms=11), Adjustment(override=False, amount=5, until_ms=11)], 14),
        ([Adjustment(override=False, amount=2**53, until_ms=None)], MOST_AMOUNT),
    ],
)
def test_what_a_budget_comes_to(adjustments: list[Adjustment], expected: int) -> None:
    """At 10 ms: the newest override that holds, or else its own amount, and all top-ups that hold; 2^53 at most."""
    assert effective(50, adjustments, 10) == budget("total", adjustments).most_at(10) == expected


@given(WINDOWS, st.lists(ADJUSTMENTS, max_size=5), STEPS)
@example("day", [Adjustment(override=False, amount=50, until_ms=BEGIN + 10)], [("admit", 90, 0), ("wait", 0, 59)])
def test_nothing_is_admitted_beyond_the_amount_of_its_moment(
    window: str, adjustments: list[Adjustment], steps: list[tuple[str, int, int]]
) -> None:
    """What is spent and reserved, with what is let in, is within what holds then: also after a restart, and when
    adjustments are made and deleted. When one expires, the calls that it let in go on, and more than all may be taken.
    """
    subject = Spender(budget(window, adjustments), "UTC")
    for step, number, pause in steps:
        if step == "admit":
            before = len(subject.calls)
            subject.admit(number)
            taken = subject.account.used(subject.now) + subject.account.reserved(subject.now)
            assert len(subject.calls) == before or taken <= amount(adjustments, subject.now)
        elif step == "end":
            subject.end(number, number % 11)
        elif step == "wait":
            subject.now += pause
        else:
            if step == "change":
                adjustments = adjustments[1:] or [Adjustment(override=number % 2 == 0, amount=number, until_ms=None)]
            subject.account.budget = subject.budget = budget(window, adjustments)
            subject.restart()
        left, used, reserved = subject.numbers()
        assert left == amount(adjustments, subject.now) - used - reserved


def test_an_expiry_under_way_refuses_what_comes_next() -> None:
    """The call that the top-up let in is charged whole; then nothing is left, and a caller is told 0 and not less."""
    rules = budget("total", [Adjustment(override=False, amount=50, until_ms=BEGIN + 10)])
    book = Book(Policy("UTC", (), (rules,)), lambda _: {})
    ask = Ask({"org": "o"}, 1, 90, 0, None, 1, 1, 1, 1, 0)
    held = book.decide(BEGIN, ask)
    assert not isinstance(held, Refusal)
    assert book.standing(BEGIN, ask.path)[1] == 10
    assert book.standing(BEGIN + 10, ask.path)[1] == 0
    book.settle(BEGIN + 10, held, 90, 90)
    account = book.shelf.account("b", "o")
    assert account is not None
    assert account.left(BEGIN + 10) == -40
    refused = book.judge(BEGIN + 10, Ask({"org": "o"}, 1, 1, 0, None, 1, 1, 1, 1, 0))
    assert isinstance(refused, Refusal)
    assert refused.code == "budget_exceeded"


def test_a_warning_is_of_the_amount_that_holds() -> None:
    """Half of 100 is no longer half when it is 50 again."""
    account = BudgetCounter(budget("total", [Adjustment(override=False, amount=50, until_ms=BEGIN + 10)]), "UTC", {})
    account.reserve(BEGIN, 0)
    account.charge(BEGIN, 0, BEGIN, 0, 45)
    assert account.warning(BEGIN) is None
    assert account.warning(BEGIN + 10) == 80
