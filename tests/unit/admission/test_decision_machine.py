"""One property over all histories: a call is let in if and only if every rule has room, and each is counted exactly.

The model keeps every call for ever, and counts anew each time it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lib.admission.book import Book
from lib.admission.decision import Ask, Refusal, Reservation
from lib.admission.rate import SLICES
from lib.admission.rules import EACH, Budget, Limit, Path, Policy, Subject, Unit
from lib.admission.windows import CALENDAR, window_of

BEGIN = 1_798_750_800_000  # 2026-12-31T21:00Z: near the end of a day, a month and a year
DAY = 86_400_000
ZONE = "Europe/Berlin"
SCOPES = st.sampled_from(
    [
        Subject("org", "o"),
        Subject("org", "o", "m1"),
        Subject("key", "k1"),
        Subject("key", "k3"),
        Subject("key", EACH),
        Subject("key", EACH, "m2"),
        Subject("model", "m1"),
        Subject("model", EACH),
        Subject("end_user", EACH),
        Subject("end_user", "u1", "m1"),
    ]
)
LIMITS = st.builds(
    Limit,
    st.just(""),
    SCOPES,
    st.sampled_from(Unit),
    st.integers(1, 12),
    st.sampled_from([1_000, 60_000]),
    st.none() | st.integers(1, 12),
).map(lambda limit: replace(limit, window_ms=0, burst=None) if limit.unit is Unit.CONCURRENT else limit)
SPEND_WINDOWS = st.sampled_from(["total", "day", "week", "month", "rolling:60"])
BUDGETS = st.builds(Budget, st.just(""), SCOPES, SPEND_WINDOWS, st.integers(0, 80), st.booleans())
PATHS = st.builds(
    lambda key, model, user: {"org": "o", **key, "model": model} | ({"end_user": user} if user else {}),
    # `k3` was made with k1, and has minted k4.
    st.sampled_from(
        [
            {"key": "k1"},
            {"key": "k1"},
            {"key": "k2"},
            {"key": "k2"},
            {"key": "k3", "makers": "k1"},
            {"key": "k4", "minter": "k3", "makers": "k1"},
        ]
    ),
    st.sampled_from(["m1", "m2"]),
    st.sampled_from([None, "u1", "u2", EACH]),
)
TOKENS = st.integers(0, 6) | st.sampled_from([None, 0, 1])
ASKS = st.builds(
    Ask,
    path=PATHS,
    estimate=st.integers(0, 5),
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    most_output=st.sampled_from([None, 0, 2, 10]),
    choices=st.integers(1, 3),
    floor=st.integers(0, 4),
    input_price=st.sampled_from([0, 1, 1, 2, 2, None]),
    output_price=st.sampled_from([0, 1, 1, 3, 3, None]),
    call_price=st.sampled_from([0, 0, 4]),
)
PAUSES = st.sampled_from([0, 1, 83, 500, 999, 1_000, 5_000, 59_999, 60_000, 60_059, 3_600_000, DAY, 31 * DAY])


@dataclass(eq=False)
class Call:
    """A call that was let in. `tokens` and `cost` are None while it is under way."""

    path: Path
    since: int
    estimate: int
    bound: int
    held: Reservation
    rules: set[str]  # that there were when it came
    ended: int = 0
    tokens: int | None = None
    cost: int | None = None


def cut(window: int, at: int) -> int:
    """Return until when something counts in a sliding window."""
    width = -(-window // SLICES)
    return (at // width + 1) * width - 1 + window


@dataclass
class Model:
    """Every call there was, and what a rule has counted at any moment, by its definition."""

    calls: list[Call] = field(default_factory=list)

    def of(self, rule_id: str, scope: Subject, subject: str) -> list[Call]:
        return [call for call in self.calls if rule_id in call.rules and subject in scope.subjects(call.path)]

    def used(self, limit: Limit, subject: str, now: int) -> Fraction:
        calls = self.of(limit.id, limit.scope, subject)
        if limit.unit is Unit.CONCURRENT:
            return Fraction(sum(call.tokens is None for call in calls))
        entries = self._bookings(limit, calls)
        if limit.burst is None:
            return Fraction(_sliding(limit.window_ms, entries, now))
        return _leaky(Fraction(limit.most, limit.window_ms), entries, now)

    def _bookings(self, limit: Limit, calls: list[Call]) -> list[tuple[int, int, int]]:
        """Return when an amount was booked, since when it counts, and the amount; in the order of booking."""
        if limit.unit is Unit.REQUESTS:
            return [(call.since, call.since, 1) for call in calls]
        entries = [(call.since, call.since, call.estimate) for call in calls]
        entries += [
            (call.ended, call.since, call.tokens - call.estimate)
            for call in self.ended(calls)
            if call.tokens is not None
        ]
        return sorted(entries, key=lambda entry: entry[0])

    def ended(self, calls: list[Call]) -> list[Call]:
        return [call for call in calls if call.tokens is not None]

    def room(self, limit: Limit, subject: str, now: int, amount: int) -> bool:
        return self.used(limit, subject, now) + amount <= (limit.burst or limit.most)

    def spent(self, budget: Budget, subject: str, now: int) -> tuple[int, int]:
        """Return what is spent and what is reserved in the window of now."""
        calls = self.of(budget.id, budget.scope, subject)
        if budget.window == "rolling:60":
            held = [call for call in calls if call.cost is None]
            costs = [(call.since, min(call.cost, call.bound)) for call in calls if call.cost is not None]
            costs += [
                (call.ended, call.cost - call.bound)
                for call in calls
                if call.cost is not None and call.cost > call.bound
            ]
            return (
                sum(cost for at, cost in costs if cut(60_000, at) > now),
                sum(call.bound for call in held if cut(60_000, call.since) > now),
            )
        if budget.window in CALENDAR:
            begin, end = window_of(budget.window, ZONE, now)
            calls = [call for call in calls if begin <= call.since < end]
        return sum(call.cost or 0 for call in calls), sum(call.bound for call in calls if call.cost is None)


def _sliding(window: int, entries: list[tuple[int, int, int]], now: int) -> int:
    """Count what still does. A surplus counts from when it is known; a reduction where it stands, and as long."""
    used = 0
    for at, since, amount in entries:
        if amount >= 0:
            used += amount if cut(window, at) > now else 0
        elif cut(window, since) > at:
            used += amount if cut(window, since) > now else 0
    return used


def _leaky(rate: Fraction, entries: list[tuple[int, int, int]], now: int) -> Fraction:
    """A bucket that leaks. What is given back is only what can't have leaked yet."""
    level, last = Fraction(0), 0
    for at, since, amount in entries:
        level = max(Fraction(0), level - (at - last) * rate)
        last = at
        level += amount if amount >= 0 else -min(level, max(Fraction(0), -amount - (at - since) * rate))
    return max(Fraction(0), level - (now - last) * rate)


def bound_of(ask: Ask, output: int) -> int | None:
    """Return the most that a call may cost; None where it can't be proved."""
    if ask.input_price is None or ask.output_price is None or (ask.input_tokens is None and ask.input_price > 0):
        return None
    return ask.call_price + (ask.input_tokens or 0) * ask.input_price + output * ask.choices * ask.output_price


class Histories(RuleBasedStateMachine):
    """A book, and all that ever happened to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.model = Model()
        self.kept: dict[tuple[str, str], dict[int, int]] = {}
        self.names = 0
        self.policy = Policy(ZONE, (), ())
        self.book = self.new_book()

    @initialize(limits=st.lists(LIMITS, max_size=4), budgets=st.lists(BUDGETS, max_size=4))
    def begin(self, limits: list[Limit], budgets: list[Budget]) -> None:
        self.policy = Policy(
            ZONE,
            tuple(replace(limit, id=self.name()) for limit in limits),
            tuple(replace(budget, id=self.name()) for budget in budgets),
        )
        self.book = self.new_book()

    def new_book(self) -> Book:
        """One that has room for hardly any counter."""
        return Book(self.policy, lambda places: {place: dict(self.kept.get(place, {})) for place in places}, most=2)

    def name(self) -> str:
        self.names += 1
        return f"r{self.names}"

    def entries(self) -> list[Limit | Budget]:
        return [*self.policy.limits, *self.policy.budgets]

    def keep(self) -> None:
        for rule_id, subject, slot, amount in self.book.shelf.changes():
            slots = self.kept.setdefault((rule_id, subject), {})
            slots.pop(slot, None)
            if amount:
                slots[slot] = amount
        self.book.shelf.make_room()

    # What a call meets

    @rule(ask=ASKS, times=st.integers(1, 4))
    def many_ask(self, ask: Ask, times: int) -> None:
        for _ in range(times):
            self.ask(ask)

    @rule(ask=ASKS)
    def ask(self, ask: Ask) -> None:
        expected = self.expected(ask)
        decided = self.book.decide(self.now, ask)
        if isinstance(decided, Refusal):
            assert (decided.code, decided.rule) in expected
            self.waiting_helps(ask, decided)
            return
        assert not expected
        assert decided.granted == self.granted(ask)
        output = decided.granted if ask.output_tokens is None else ask.output_tokens
        assert decided.bound == (bound_of(ask, output or 0) or 0)
        call = Call(ask.path, self.now, ask.estimate, decided.bound, decided, {entry.id for entry in self.entries()})
        self.model.calls.append(call)
        self.rules_hold(ask.path)

    def expected(self, ask: Ask) -> set[tuple[str, str]]:
        """Return all rules that have no room for a call, each with the code to refuse it by."""
        found = set()
        for limit in self.policy.limits:
            amount = ask.estimate if limit.unit is Unit.TOKENS else 1
            subjects = limit.scope.subjects(ask.path)
            if not all(self.model.room(limit, subject, self.now, amount) for subject in subjects):
                found.add((f"{limit.unit.value}_limit_reached", limit.id))
        lefts = self.hard_left(ask.path)
        if lefts and bound_of(ask, 0) is None:
            return found | {("cost_unknown", name) for name in lefts}
        least = ask.output_tokens
        if least is None:
            least = ask.floor if ask.most_output is None else min(ask.floor, ask.most_output)
        bound = bound_of(ask, least) or 0
        return found | {("budget_exceeded", name) for name, left in lefts.items() if bound > left}

    def hard_left(self, path: Path) -> dict[str, int]:
        lefts = {}
        for budget in self.policy.budgets:
            spent = [sum(self.model.spent(budget, subject, self.now)) for subject in budget.scope.subjects(path)]
            if spent and budget.hard:
                lefts[budget.id] = budget.most - max(spent)
        return lefts

    def granted(self, ask: Ask) -> int | None:
        """Try one after the other: the most output tokens that every hard budget covers."""
        lefts = self.hard_left(ask.path).values()
        if ask.output_tokens is not None or not lefts or not ask.output_price:
            return None
        granted = 0
        while (bound_of(ask, granted + 1) or 0) <= min(lefts) and granted != ask.most_output:
            granted += 1
        return granted

    def waiting_helps(self, ask: Ask, refusal: Refusal) -> None:
        """After the time that was told there is room on that limit, and not before."""
        limit = next((limit for limit in self.policy.limits if limit.id == refusal.rule), None)
        if limit is None or refusal.wait_ms < 0:
            return
        subject, amount = refusal.subject, ask.estimate if limit.unit is Unit.TOKENS else 1
        assert subject in limit.scope.subjects(ask.path)
        assert self.model.room(limit, subject, self.now + refusal.wait_ms, amount)
        assert not self.model.room(limit, subject, self.now + refusal.wait_ms - 1, amount)

    def rules_hold(self, path: Path) -> None:
        """Where a call was let in, nothing on its way is past its bound."""
        for limit in self.policy.limits:
            assert all(self.model.room(limit, subject, self.now, 0) for subject in limit.scope.subjects(path))
        assert all(left >= 0 for left in self.hard_left(path).values())

    # How it ends

    def under_way(self) -> list[Call]:
        return [call for call in self.model.calls if call.cost is None]

    @precondition(lambda self: self.under_way())
    @rule(index=st.integers(0, 9), part=st.integers(0, 10), tokens=st.integers(0, 8), surplus=st.integers(0, 9))
    def settle(self, index: int, part: int, tokens: int, surplus: int) -> None:
        """A call ends. Where nobody could say what it may cost, it may cost anything: no hard budget concerns it."""
        calls = self.under_way()
        call = calls[index % len(calls)]
        free = not any(name in self.policy_budgets(hard=True) for name, *_ in call.held.budgets)
        self.end(call, call.bound * part // 10 + (surplus if free else 0), tokens)

    def policy_budgets(self, *, hard: bool) -> set[str]:
        return {budget.id for budget in self.policy.budgets if budget.hard == hard}

    @precondition(lambda self: self.under_way())
    @rule()
    def expire(self) -> None:
        """Nobody settles the oldest: it is charged what was set aside."""
        call = self.under_way()[0]
        self.end(call, call.bound, call.estimate)

    def end(self, call: Call, cost: int, tokens: int) -> None:
        held = Reservation.from_json(call.held.to_json())
        assert held == call.held
        self.book.settle(self.now, held, cost, tokens)
        call.cost, call.tokens, call.ended = cost, tokens, self.now

    @precondition(lambda self: len(self.under_way()) < len(self.model.calls))
    @rule(index=st.integers(0, 9), part=st.integers(0, 10))
    def correct(self, index: int, part: int) -> None:
        """A settlement comes late, when what was set aside had been charged. Limits are not corrected again."""
        calls = [call for call in self.model.calls if call.cost is not None and call.cost <= call.bound]
        if calls:
            call = calls[index % len(calls)]
            assert call.cost is not None
            before, call.cost = call.cost, call.cost * part // 10
            self.book.settle(self.now, call.held, call.cost, call.tokens or 0, before=before)

    # What happens around it

    @rule(passed=PAUSES)
    def time_passes(self, passed: int) -> None:
        self.now += passed

    @rule()
    def restart(self) -> None:
        """The gate is begun anew from what is on disk: the counts, and the calls that are under way."""
        self.keep()
        self.begin_anew()

    def begin_anew(self, book: Book | None = None) -> None:
        names = {entry.id for entry in self.entries()}
        self.kept = {place: slots for place, slots in self.kept.items() if place[0] in names}
        for call in self.model.calls:
            call.rules &= names
        self.book = book or self.new_book()
        if book is None:
            self.book.restore([call.held for call in self.under_way()], names)

    @rule()
    def forget(self) -> None:
        """What is over is dropped from disk: nobody sees a difference. And room is made in memory."""
        self.keep()
        rows = [(*place, slot, there) for place, slots in self.kept.items() for slot, there in slots.items()]
        for rule_id, who, slot in self.book.shelf.dead(self.now, rows):
            self.kept[rule_id, who].pop(slot, None)

    @rule(limit=LIMITS, budget=BUDGETS, first=st.booleans(), anew=st.booleans())
    def change_the_rules(self, limit: Limit, budget: Budget, first: bool, anew: bool) -> None:
        """One limit and one budget go, others come, and those that stay get another amount or mode."""
        self.keep()
        limits, budgets = self.policy.limits[first:], self.policy.budgets[first:]
        held = [call.held for call in self.under_way()]
        self.policy = Policy(
            ZONE,
            (
                *(entry if entry.burst else replace(entry, most=limit.most) for entry in limits),
                *([replace(limit, id=self.name())] if len(limits) < 4 else []),
            ),
            (
                *(replace(entry, most=budget.most, hard=budget.hard) for entry in budgets),
                *([replace(budget, id=self.name())] if len(budgets) < 4 else []),
            ),
        )
        self.book.change(self.policy, self.now, held)
        self.begin_anew(None if anew else self.book)

    # What can be seen

    @invariant()
    def counters_are_exact(self) -> None:
        """Every counter shows what the calls say: nothing leaks, nothing is counted that was refused."""
        shown = self.book.counters(self.now)
        for limit in self.policy.limits:
            if limit.scope.id != EACH:
                used = self.model.used(limit, limit.scope.id, self.now)
                assert shown[limit.id].used == -(-used // 1)
        for budget in self.policy.budgets:
            if budget.scope.id != EACH:
                counter = shown[budget.id]
                assert (counter.used, counter.reserved) == self.model.spent(budget, budget.scope.id, self.now)
        assert not any(entry.scope.id == EACH and entry.id in shown for entry in self.entries())

    @rule(path=PATHS)
    def standing_tells_the_truth(self, path: Path) -> None:
        """What is left is what a call of that size meets; when all of it is there again, it is."""
        rates, budget_left = self.book.standing(self.now, path)
        lefts = self.hard_left(path).values()
        assert budget_left == (max(0, min(lefts)) if lefts else None)
        known: dict[str, list[tuple[int, int, int]]] = {}
        for limit in self.policy.limits:
            for subject in limit.scope.subjects(path):
                left = max(0, (limit.burst or limit.most) - -(-self.model.used(limit, subject, self.now) // 1))
                known.setdefault(limit.unit, []).append((left, limit.most, self.full_after(limit, subject)))
        assert set(known) == set(rates)
        for unit, (most, left, _, resets_ms) in rates.items():
            assert left == min(left for left, _, _ in known[unit])
            assert (left, most, resets_ms) in known[unit]

    def full_after(self, limit: Limit, subject: str) -> int:
        if limit.unit is Unit.CONCURRENT:
            return 0
        if limit.burst is not None:
            return -(-self.model.used(limit, subject, self.now) * limit.window_ms // limit.most)
        ends = {cut(limit.window_ms, at) for call in self.model.calls for at in (call.since, call.ended)}
        later = sorted(end for end in {*ends, self.now} if end >= self.now)
        return next(end for end in later if self.model.used(limit, subject, end) == 0) - self.now

    def teardown(self) -> None:
        """When all have ended, nothing is held."""
        for call in self.under_way():
            self.end(call, call.bound, call.estimate)
        self.counters_are_exact()
        for limit in self.policy.limits:
            count = self.book.counters(self.now).get(limit.id)
            assert limit.unit is not Unit.CONCURRENT or count is None or count.used == 0
        assert all(counter.reserved == 0 for counter in self.book.counters(self.now).values())


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
