"""Single decisions: who refuses and why, how many output tokens are granted, what is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lib.admission.book import Book
from lib.admission.decision import Ask, Refusal, Reservation, proved_for, reserved_for
from lib.admission.rules import EACH, Budget, Limit, Policy, Subject, Unit

NOW = 1_795_000_000_000
DAY = 86_400_000
ORG = Subject("org", "o")
PATH = {"org": "o", "key": "k", "model": "m", "end_user": "u"}
ASK = Ask(
    path=PATH,
    estimate=10,
    input_tokens=10,
    output_tokens=5,
    most_output=100,
    choices=1,
    floor=4,
    input_price=1,
    output_price=2,
    call_price=0,
)
REQUESTS = Limit("requests", ORG, Unit.REQUESTS, 2, 60_000, None)
TOKENS = Limit("tokens", ORG, Unit.TOKENS, 100, 60_000, None)
AT_ONCE = Limit("at-once", ORG, Unit.CONCURRENT, 1, 0, None)
HARD = Budget("hard", ORG, "day", 100, hard=True)
SOFT = Budget("soft", ORG, "day", 10, hard=False)


def book(*rules: Limit | Budget, kept: dict[tuple[str, str], Mapping[int, int]] | None = None) -> Book:
    limits = tuple(rule for rule in rules if isinstance(rule, Limit))
    return Book(Policy("UTC", limits, tuple(rule for rule in rules if isinstance(rule, Budget))), lambda _: kept or {})


def admitted(subject: Book, ask: Ask = ASK, now: int = NOW) -> Reservation:
    decided = subject.decide(now, ask)
    assert isinstance(decided, Reservation)
    return decided


def refused(subject: Book, ask: Ask = ASK, now: int = NOW) -> str:
    decided = subject.decide(now, ask)
    assert isinstance(decided, Refusal)
    return f"{decided.code} {decided.rule}"


def keep(subject: Book, kept: dict[tuple[str, str, int], int]) -> None:
    for rule, who, slot, amount in subject.shelf.changes():
        kept.pop((rule, who, slot), None)
        if amount:
            kept[rule, who, slot] = amount


def by_place(kept: dict[tuple[str, str, int], int]) -> dict[tuple[str, str], Mapping[int, int]]:
    found: dict[tuple[str, str], dict[int, int]] = {}
    for (rule, who, slot), amount in kept.items():
        found.setdefault((rule, who), {})[slot] = amount
    return dict(found)


def test_without_rules_everything_passes() -> None:
    held = admitted(book(), ASK._replace(input_tokens=None, input_price=None, output_tokens=None))
    assert (held.bound, held.limits, held.budgets, held.granted) == (0, [], [], None)


def test_who_refuses_is_named() -> None:
    """The rule and its kind, so that a caller can tell which of many it was."""
    assert refused(book(TOKENS, REQUESTS), ASK._replace(estimate=101)) == "tokens_limit_reached tokens"
    assert refused(book(replace(HARD, most=19))) == "budget_exceeded hard"
    subject = book(REQUESTS, AT_ONCE)
    held = admitted(subject)
    assert refused(subject) == "concurrent_limit_reached at-once"
    subject.settle(NOW, held, 0, 0)
    held = admitted(subject)
    assert refused(subject) == "requests_limit_reached requests"


def test_of_several_budgets_the_one_that_refuses_is_named() -> None:
    """And not another, which is hard too and has room."""
    wide = Budget("wide", Subject("key", EACH), "total", 1_000, hard=True)
    assert refused(book(wide, replace(HARD, most=19))) == "budget_exceeded hard"


def test_a_refused_call_counts_nowhere() -> None:
    """Neither on the limits before the one that refuses, nor on those behind it."""
    subject = book(REQUESTS, TOKENS, AT_ONCE, SOFT, replace(HARD, most=19))
    assert refused(subject) == "budget_exceeded hard"
    assert {(count.used, count.reserved) for count in subject.counters(NOW).values()} == {(0, 0)}
    assert not [change for change in subject.shelf.changes() if change[3]]


@pytest.mark.parametrize(
    ("change", "granted", "bound"),
    [
        ({}, 45, 100),  # (100 - 10) / 2
        ({"choices": 3}, 15, 100),
        ({"choices": 4}, 11, 98),  # 12 would not fit
        ({"most_output": 7}, 7, 24),
        ({"most_output": None}, 45, 100),
        ({"most_output": 0}, 0, 10),  # a model without output: embeddings
        ({"most_output": 3}, 3, 16),  # less than the floor, but all that the model has
        ({"input_tokens": 92}, 4, 100),  # the floor itself
        ({"output_price": 0}, None, 10),
        ({"call_price": 30}, 30, 100),
    ],
)
def test_output_tokens_are_granted_as_far_as_the_budget_covers(
    change: dict[str, Any], granted: int | None, bound: int
) -> None:
    """As many as fit for each choice, no more than the model has."""
    held = admitted(book(HARD), ASK._replace(output_tokens=None, **change))
    assert (held.granted, held.bound) == (granted, bound)


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        ({"input_tokens": 93}, 101),
        ({"choices": 12}, 106),
        ({"call_price": 83}, 101),
        ({"floor": 46}, 102),
        ({"input_tokens": 99, "most_output": 3}, 105),  # the floor is no more than all that the model has
        ({"input_tokens": 101}, 101),  # without a word of output
    ],
)
def test_less_than_the_floor_is_not_granted(change: dict[str, Any], needs: int) -> None:
    """An answer cut off after a few words is of no use to anybody. What would be of use is told, and what there is."""
    decided = book(replace(HARD, name="Ours")).decide(NOW, ASK._replace(output_tokens=None, **change))
    assert isinstance(decided, Refusal)
    assert (decided.code, decided.rule, decided.subject, decided.wait_ms) == ("budget_exceeded", "hard", "", -1)
    assert decided.told() == ["Ours", needs, 100, 100, (NOW // DAY + 1) * DAY]


@pytest.mark.parametrize(
    ("change", "granted", "proved", "reserved"),
    [
        ({}, None, 20, 20),
        ({}, 50, 20, 20),  # what a client has asked for goes before what is granted
        ({"output_tokens": 0}, None, 10, 10),
        ({"output_tokens": None}, 50, 110, 110),
        ({"output_tokens": None}, 0, 10, 10),
        ({"output_tokens": None}, None, None, 10),  # nothing bounds its output
        ({"output_tokens": None, "output_price": 0}, None, 10, 10),  # nor need it, where that costs nothing
        ({"input_price": None}, None, None, 0),
        ({"call_price": 7, "choices": 3}, None, 47, 47),
        ({"output_tokens": 2**60}, None, 2**61 + 10, 2**52),
    ],
)
def test_what_a_call_can_cost_at_most(
    change: dict[str, Any], granted: int | None, proved: int | None, reserved: int
) -> None:
    """What can be proved, and what is reserved: there something must be, and no more than counters hold."""
    ask = ASK._replace(**change)
    assert (proved_for(ask, granted), reserved_for(ask, granted)) == (proved, reserved)


@pytest.mark.parametrize("change", [{"input_price": None}, {"output_price": None}, {"input_tokens": None}])
def test_what_nobody_can_bound_is_refused_by_hard_budgets_only(change: dict[str, Any]) -> None:
    """A soft budget counts what it cost; a hard one can't keep its word."""
    ask = ASK._replace(**change)
    assert refused(book(HARD), ask) == "cost_unknown hard"
    assert refused(book(SOFT, HARD), ask) == "cost_unknown hard"
    subject = book(SOFT)
    subject.settle(NOW, admitted(subject, ask), 40, 10)
    assert subject.counters(NOW)["soft"].used == 40


def test_input_that_costs_nothing_needs_no_bound() -> None:
    assert admitted(book(HARD), ASK._replace(input_tokens=None, input_price=0, call_price=7)).bound == 17


def test_each_has_a_counter_of_its_own() -> None:
    """And none of them is shown as the rule's."""
    each = Limit("each", Subject("end_user", EACH), Unit.REQUESTS, 1, 60_000, None)
    subject = book(each, replace(HARD, id="each-budget", scope=Subject("key", EACH)))
    admitted(subject)
    assert refused(subject) == "requests_limit_reached each"
    admitted(subject, ASK._replace(path={**PATH, "end_user": "other"}))
    admitted(subject, ASK._replace(path={**PATH, "end_user": EACH}))
    admitted(subject, ASK._replace(path={"org": "o"}))
    assert subject.counters(NOW) == {}


def test_the_tightest_limit_is_shown() -> None:
    """Of each unit the one with the least left; of hard budgets what is left, never below nothing."""
    narrow = replace(REQUESTS, id="narrow", most=5, burst=3)
    subject = book(REQUESTS, narrow, TOKENS, SOFT, HARD)
    admitted(subject)
    rates, budget_left = subject.standing(NOW, PATH)
    assert rates["requests"] == [2, 1, 60_000, 60_059 - NOW % 60]
    assert rates["tokens"][1] == 90
    assert budget_left == 80
    subject.settle(NOW, admitted(subject), 500, 10)
    assert subject.standing(NOW, PATH)[1] == 0
    assert book(SOFT).standing(NOW, PATH)[1] is None


@pytest.mark.parametrize("change", [{}, {"input_tokens": None, "output_tokens": None, "most_output": None}])
def test_what_is_asked_survives_being_written(change: dict[str, Any]) -> None:
    """And what a later release says more is passed over."""
    ask = ASK._replace(**change)
    assert Ask.from_json({**json.loads(ask.to_json()), "more": 1}) == ask


def test_a_reservation_survives_being_written() -> None:
    held = admitted(book(REQUESTS, TOKENS, AT_ONCE, HARD, SOFT), ASK._replace(output_tokens=None))
    assert Reservation.from_json(held.to_json()) == held


def test_a_rule_that_is_gone_is_passed_over() -> None:
    """A call that is under way is settled on what is left of its rules; new ones know nothing of it."""
    held = admitted(book(REQUESTS, TOKENS, AT_ONCE, HARD, SOFT))
    subject = book(replace(AT_ONCE, id="new"), HARD)
    subject.restore([held], {"new", "hard"})
    assert subject.counters(NOW)["hard"].reserved == 20
    subject.settle(NOW, held, 15, 12)
    counters = subject.counters(NOW)
    assert (counters["hard"].used, counters["hard"].reserved, counters["new"].used) == (15, 0, 0)
    assert set(counters) == {"hard", "new"}


def test_a_late_settlement_corrects_what_was_charged() -> None:
    """The budget; limits counted the estimate, and have long counted on."""
    subject = book(TOKENS, AT_ONCE, HARD)
    held = admitted(subject)
    subject.settle(NOW, held, held.bound, held.estimate)
    subject.settle(NOW, held, 3, 1, before=held.bound)
    counters = subject.counters(NOW)
    assert [counters[name].used for name in ("tokens", "at-once", "hard")] == [10, 0, 3]


def test_warnings_name_budget_subject_and_part() -> None:
    subject = book(HARD, replace(SOFT, scope=Subject("key", EACH)))
    assert subject.settle(NOW, admitted(subject), 20, 10) == [("soft", "k", 100)]
    assert subject.settle(NOW, admitted(subject), 20, 10) == []


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("rule", [TOKENS, replace(TOKENS, burst=50), AT_ONCE, HARD, replace(HARD, window="rolling:60")])
def test_who_is_idle_leaves_nothing_behind(rule: Limit | Budget, restarts: bool) -> None:
    """However many end users there were: what counts no more is not on disk."""
    each = replace(rule, scope=Subject("end_user", EACH))
    subject = book(each)
    kept: dict[tuple[str, str, int], int] = {}
    for number in range(5):
        subject = book(each, kept=by_place(kept)) if restarts else subject
        ask = ASK._replace(path={**PATH, "end_user": f"u{number}"})
        now = NOW + number * 40 * DAY
        subject.settle(now, admitted(subject, ask, now), 1, 10)
        keep(subject, kept)
        gone = subject.shelf.dead(now, [(*row, amount) for row, amount in kept.items()])
        kept = {row: amount for row, amount in kept.items() if row not in gone}
        assert {who for _, who, _ in kept} <= {f"u{number}"}
