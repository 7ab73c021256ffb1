"""What must hold of a gate with rules, from nothing but the calls that were made and the records that came out.

The model keeps every call for ever and adds up anew each time. Where the gate states a bound rather than a number (a
slice of a sliding window), the model knows the least and the most that it may say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

from lib.admission.decision import Ask
from lib.admission.gate import REMEMBERED_MS
from lib.admission.rate import SLICES
from lib.admission.rules import EACH, Budget, Limit, Policy, Unit
from lib.admission.windows import CALENDAR, window_of

Span = tuple[int, int]  # the least and the most that something may be
ROLLING_MS = 60_000  # the one width of a rolling budget here
MOVE_MS = 27 * 3_600_000  # the most by which two places' days lie apart, and an hour that clocks may be put back


@dataclass(frozen=True)
class Plan:
    """A call before it is made: what it asks for, and how it will end."""

    ask: Ask
    patience: int  # milliseconds until it may be given up
    part: int  # of its bound that it will cost, in tenths
    surplus: int  # more than its bound, where no hard budget concerns it
    tokens: int
    estimated: bool


@dataclass(eq=False)
class Call:
    """A call, and what has become of it. `rules` are those that counted it when it was let in."""

    id: str
    ask: Ask
    deadline: int
    guess: int | None
    plan: Plan
    number: int = 0  # the order in which calls were let in
    since: int = 0
    bound: int = 0
    granted: int | None = None
    rules: frozenset[str] = frozenset()
    budgeted: bool = False
    hard: bool = False  # a hard budget let it in
    cost: int | None = None
    state: str = "asked"  # then open, and then lost or finished
    corrected: bool = False  # finished after it was lost
    ended: int = 0
    rules_then: int = 0  # how often they had changed when it was let in
    capped: bool = True  # False: settled while there were no rules, so that nobody knew its bound
    forgotten: bool = False

    @property
    def opening(self) -> list[Any]:
        return [self.id, self.deadline, self._record("lost", self.guess, 0, estimated=True), self.ask._asdict()]

    @property
    def settling(self) -> list[Any]:
        record = self._record("finished", self.cost, self.plan.tokens, estimated=self.plan.estimated)
        return [self.id, None, record]

    def _record(self, cause: str, cost: int | None, tokens: int, *, estimated: bool) -> dict[str, Any]:
        tokens_in, tokens_out = tokens // 2, tokens - tokens // 2
        return {
            "id": self.id,
            "cause": cause,
            "cost_nano_usd": cost,
            "estimated": estimated,
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
        }

    @property
    def surplus(self) -> int:
        """The most that it was ever charged beyond its bound."""
        told = [self.cost or 0] if self.state == "finished" else []
        told += [self.guess or 0] if self.state == "lost" or self.corrected else []
        return max([0, *(cost - self.bound for cost in told)])


@dataclass
class Rule:
    """What is known of a limit or a budget over its changes."""

    entry: Limit | Budget
    fresh: int  # calls from this number on were counted by what it is now
    slack: int = 0  # how much longer than the window something may count
    exact: bool = True  # it has always been as it is, but for its amount
    settled: int = 0  # from then on its windows are the calendar's of the zone that there is


@dataclass
class Model:
    """All calls, the rules, and the ledger as the store has it and will have it."""

    policy: Policy = field(default_factory=lambda: Policy("UTC", (), ()))
    rules: dict[str, Rule] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    ledger: dict[str, tuple[str, int]] = field(default_factory=dict)  # cause and cost by id
    admitted: int = 0

    # What happens

    def change(self, policy: Policy, now: int) -> None:
        """Rules come, go and are changed. Where days begin elsewhere, the running window goes on for a day at most."""
        moved = policy.time_zone != self.policy.time_zone
        before, self.rules = self.rules, {}
        for entry in entries(policy):
            rule = before.get(entry.id) or Rule(entry, self.admitted)
            if isinstance(entry, Limit) and isinstance(rule.entry, Limit):
                if _shape(entry) != _shape(rule.entry):
                    rule.fresh, rule.exact = self.admitted, False
                rule.slack = max(rule.slack, -(-entry.window_ms // SLICES))
            elif isinstance(entry, Budget) and entry.window in CALENDAR and moved:
                rule.fresh = self.admitted
                _, end = window_of(entry.window, self.policy.time_zone, now)
                rule.settled = max(rule.settled, end) + MOVE_MS
            rule.entry = entry
            self.rules[entry.id] = rule
        self.policy = policy

    def let_in(self, call: Call, now: int, granted: int | None, bound: int) -> None:
        self.admitted += 1
        call.number, call.since, call.granted, call.bound, call.state = self.admitted - 1, now, granted, bound, "open"
        concerning = [entry for entry, _ in self.concerning(call)]
        call.rules = frozenset(entry.id for entry in concerning)
        call.budgeted = any(isinstance(entry, Budget) for entry in concerning)
        call.hard = any(isinstance(entry, Budget) and entry.hard for entry in concerning)

    def finish(self, call: Call, now: int) -> None:
        if call.state in ("open", "lost"):
            call.corrected = call.state == "lost"
            call.state, call.ended = "finished", now

    def give_up(self, overdue: int, now: int) -> None:
        """The deadlines until `overdue` have passed. What ended a day ago is no longer known by anybody."""
        for call in self.calls:
            if call.state == "open" and call.deadline <= overdue:
                call.state, call.ended = "lost", now
            elif call.state in ("lost", "finished") and call.ended + REMEMBERED_MS <= overdue:
                call.forgotten = True

    def note(self, records: list[dict[str, Any]]) -> None:
        """As the store does: a record stays as it is, unless it was written for a call that had been given up."""
        for record in records:
            known = self.ledger.get(record["id"])
            if known is None or (known[0] == "lost" != record["cause"]):
                self.ledger[record["id"]] = record["cause"], record["cost_nano_usd"] or 0

    # What it adds up to

    def concerning(self, call: Call) -> Iterator[tuple[Limit | Budget, str]]:
        """Yield each rule on a call's path, and whose counter it is."""
        for entry in entries(self.policy):
            for subject in entry.scope.subjects(call.ask.path):
                yield entry, subject

    def counted(self, entry: Limit | Budget, subject: str) -> list[Call]:
        return [
            call for call in self.calls if entry.id in call.rules and subject in entry.scope.subjects(call.ask.path)
        ]

    def at_once(self, limit: Limit, subject: str) -> int:
        return sum(call.state == "open" for call in self.counted(limit, subject))

    def rate(self, limit: Limit, subject: str, now: int) -> tuple[Fraction, Fraction | None]:
        """Return the least and the most that a limit has counted. None: it was changed, and nobody can tell simply."""
        if limit.unit is Unit.CONCURRENT:
            exact = Fraction(self.at_once(limit, subject))
            return exact, exact
        calls, rule = self.counted(limit, subject), self.rules[limit.id]
        fresh = [call for call in calls if call.number >= rule.fresh]
        if limit.burst is None:
            least = sum(amount for at, amount in _entries(limit, fresh, most=False) if at > now - limit.window_ms)
            until = now - limit.window_ms - rule.slack
            most = sum(amount for at, amount in _entries(limit, calls, most=False) if at > until)
            return Fraction(least), Fraction(most) if rule.exact else None
        leak = Fraction(limit.most, limit.window_ms)
        least_level = _level(leak, _entries(limit, fresh, most=False), now)
        return least_level, _level(leak, _entries(limit, calls, most=True), now) if rule.exact else None

    def spent(self, budget: Budget, subject: str, now: int, cost: Callable[[Call], int]) -> tuple[Span, Span]:
        """Return what is spent, and what is reserved in the window of now: the least and the most of each."""
        calls, rule = self.counted(budget, subject), self.rules[budget.id]
        if budget.window in CALENDAR:
            begin, end = window_of(budget.window, self.policy.time_zone, now)
            unsure = [call.number < rule.fresh or call.since < rule.settled for call in calls]
            sure = [call for call, open_ in zip(calls, unsure, strict=True) if not open_ and begin <= call.since < end]
            maybe = [call for call, open_ in zip(calls, unsure, strict=True) if open_]
        elif budget.window == "total":
            sure, maybe = calls, []
        else:
            sure = [call for call in calls if call.since > now - ROLLING_MS]
            late = now - ROLLING_MS - ROLLING_MS // SLICES
            maybe = [call for call in calls if late < call.since <= now - ROLLING_MS]
        used, reserved = _sum(sure, cost), _held(sure)
        spans = (used, used + _sum(maybe, cost)), (reserved, reserved + _held(maybe))
        return spans if budget.window in (*CALENDAR, "total") else self._with_surplus(calls, spans, now)

    def _with_surplus(self, calls: list[Call], spans: tuple[Span, Span], now: int) -> tuple[Span, Span]:
        """In a rolling window what is more than the bound counts from when it is known."""
        (least, most), reserved = spans
        surplus = sum(call.surplus for call in calls)
        known = [call for call in calls if call.ended > now - ROLLING_MS - ROLLING_MS // SLICES]
        return (max(0, least - surplus), most + sum(call.surplus for call in known)), reserved

    def charged(self, call: Call) -> int:
        """Return what a call that has ended is charged, by the rules of settling."""
        if call.state == "lost":
            return max(call.bound if call.budgeted else 0, call.guess or 0)
        if call.plan.estimated and call.hard:
            return call.bound
        return call.cost or 0


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return what `lib.admission.policy_store.load_policy` would have written."""
    return {
        "time_zone": policy.time_zone,
        "limits": [
            {
                **_scoped(limit),
                "unit": limit.unit.value,
                "limit": limit.most,
                "window_ms": limit.window_ms or None,
                "burst": limit.burst,
            }
            for limit in policy.limits
        ],
        "budgets": [
            {
                **_scoped(budget),
                "window": budget.window,
                "limit": budget.most,
                "mode": "hard" if budget.hard else "soft",
            }
            for budget in policy.budgets
        ],
    }


def rule_steps(before: Policy, policy: Policy) -> list[list[Any]]:
    """Return how a gate is told of a change: by the one rule in which it lies, or else by all rules."""
    old, new = policy_json(before), policy_json(policy)
    told = []
    for kind in ("limit", "budget"):
        was, now = ({rule["id"]: rule for rule in text[f"{kind}s"]} for text in (old, new))
        told += [{kind: rule} for name, rule in now.items() if was.get(name) != rule]
        told += [{"gone": name} for name in was if name not in now]
    if len(told) == 1 and old["time_zone"] == new["time_zone"]:
        return [["rule", told[0]]]
    return [["rules", new]]


def entries(policy: Policy) -> list[Limit | Budget]:
    return [*policy.limits, *policy.budgets]


def shown(policy: Policy) -> Mapping[str, Limit | Budget]:
    """Return the rules that have one counter each, by id."""
    return {entry.id: entry for entry in entries(policy) if entry.scope.id != EACH}


def _scoped(entry: Limit | Budget) -> dict[str, Any]:
    return {"id": entry.id, "scope": asdict(entry.scope)}


def _shape(limit: Limit) -> tuple[int, int | None, int | None]:
    """What can't be changed without another meaning of what was counted. A bucket leaks by its amount."""
    return limit.window_ms, limit.burst, None if limit.burst is None else limit.most


def _entries(limit: Limit, calls: list[Call], *, most: bool) -> list[tuple[int, int]]:
    """Return when each amount was let in. Tokens: the estimate, and at its end the surplus over it.

    Less than the estimate counts as what it was; with `most` as the estimate: a bucket gives back only what can't have
    leaked.
    """
    if limit.unit is Unit.REQUESTS:
        return sorted((call.since, 1) for call in calls)
    entries = []
    for call in calls:
        told = call.state == "finished" and not call.corrected
        tokens = call.plan.tokens if told else call.ask.estimate
        entries.append((call.since, call.ask.estimate if most else min(tokens, call.ask.estimate)))
        if tokens > call.ask.estimate:
            entries.append((call.ended, tokens - call.ask.estimate))
    return sorted(entries)


def _level(leak: Fraction, entries: list[tuple[int, int]], now: int) -> Fraction:
    """Return how far a bucket is filled that leaks."""
    level, last = Fraction(0), now
    for at, amount in entries:
        level = max(Fraction(0), level - max(0, at - last) * leak) + amount
        last = at
    return max(Fraction(0), level - max(0, now - last) * leak)


def _sum(calls: list[Call], cost: Callable[[Call], int]) -> int:
    return sum(cost(call) for call in calls if call.state in ("lost", "finished"))


def _held(calls: list[Call]) -> int:
    return sum(call.bound for call in calls if call.state == "open")
