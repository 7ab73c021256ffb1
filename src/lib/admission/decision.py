"""Whether a call may go on: every limit and every budget on its path, at once.

Pure: no I/O, no clock. The gate around it (`gate.py`) sees to it that one decision is made at a time, and that what is
counted here is on disk before anybody is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.admission.budget import Account
from lib.admission.counters import Counter
from lib.admission.rate import AtOnce, Count, Gcra, Sliding
from lib.admission.rules import EACH, NAMELESS, Budget, Limit, Path, Policy, Unit

Kept = dict[tuple[str, str], Mapping[int, int]]  # (rule, subject) → slots


# What is reserved for one call at most, where only soft budgets let it in: a client may ask for any number of tokens.
MOST_BOUND = 2**52
# Of so many paths it is remembered which rules concern them.
MOST_PATHS = 1_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a call may take. `input_tokens` and `output_tokens` are upper bounds; None: nobody can prove one.

    Prices are nano-dollars a token; None: unknown. `output_tokens` is what the client asked for, for each of `choices`;
    where it asked for nothing, as many are granted as the budgets cover, at most `most_output` and at least `floor`.
    `estimate` is a guess of all tokens, for limits.
    """

    path: Path
    estimate: int
    input_tokens: int | None
    output_tokens: int | None
    most_output: int | None
    choices: int
    floor: int
    input_price: int | None
    output_price: int | None
    call_price: int

    @classmethod
    def from_json(cls, parsed: Mapping[str, Any]) -> Ask:
        return cls(**parsed)


@dataclass(slots=True)
class Reservation:
    """What a call that was let in has been given: where it counts, how much, and since when.

    With `hard` a hard budget let it in: what nobody tells of its use is charged at the bound.
    """

    since: int
    bound: int
    estimate: int
    limits: list[tuple[str, str]]  # rule and subject
    budgets: list[tuple[str, str, int]]  # rule, subject, and the begin of its window
    granted: int | None  # output tokens for each choice, where the client did not say
    hard: bool

    def to_json(self) -> str:
        parts = [self.since, self.bound, self.estimate, self.limits, self.budgets, self.granted, int(self.hard)]
        return json.dumps(parts, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Reservation:
        since, bound, estimate, limits, budgets, granted, *hard = json.loads(text)
        places = [tuple(place) for place in limits], [tuple(place) for place in budgets]
        return cls(since, bound, estimate, *places, granted, hard == [1])  # older ones do not say


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not go on. `rule` is the id of what refused it; `wait_ms` is -1 where waiting does not help.

    Of the rule, whose `name` people know: the call `needs` so much (None: nobody can tell), `left` is there, of `most`.
    `resets_ms` is when a budget's window ends (milliseconds since 1970), None where it has no end.
    `subject` is on whose counter a limit refused.
    """

    code: str
    rule: str
    wait_ms: int
    name: str | None = None
    needs: int | None = None
    left: int | None = None
    most: int | None = None
    resets_ms: int | None = None
    subject: str = ""

    def told(self) -> list[object]:
        """Return what is told of the rule beside its id."""
        return [self.name, self.needs, self.left, self.most, self.resets_ms]


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit as its caller sees it: how much, how much of it is left, and in how many ms all of it is there again."""

    most: int
    left: int
    window_ms: int
    resets_ms: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The tightest limit of each unit, and what is left of the tightest hard budget; None where there is none."""

    rates: Mapping[str, Rate]
    budget_left: int | None


@dataclass(frozen=True, slots=True)
class Stops:
    """Where calls of one path are counted: each limit with its subject and counter, and each budget's with its own.

    `nameless` is a rule that counts end users, where the call's is no text: it could count on nobody.
    """

    limits: list[tuple[Limit, str, Count]]
    budgets: list[tuple[Account, str]]
    hard: list[Account]
    nameless: str | None = None


@dataclass(slots=True)
class Book:
    """All counters of an organisation, by rule and subject, made when they are first needed."""

    policy: Policy
    kept: Kept  # what is not counted on yet; taken from here when it is
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    touched: dict[tuple[str, str], Count | Account] = field(default_factory=dict)  # since `changes` was last asked
    stops: dict[tuple[tuple[str, str], ...], Stops] = field(default_factory=dict)  # by path: most calls are alike
    under_way: dict[tuple[str, str], int] = field(default_factory=dict)  # tokens that are only estimated yet
    limits: dict[str, Limit] = field(init=False)
    budgets: dict[str, Budget] = field(init=False)

    def __post_init__(self) -> None:
        self.limits = {limit.id: limit for limit in self.policy.limits}
        self.budgets = {budget.id: budget for budget in self.policy.budgets}

    def decide(self, now: int, ask: Ask) -> Reservation | Refusal:
        """Let a call in, and count it everywhere; or refuse it, and count it nowhere."""
        stops = self._stops(ask.path)
        granted = self._judge(now, ask, stops)
        if isinstance(granted, Refusal):
            return granted
        bound = reserved_for(ask, granted)
        reservation = Reservation(now, bound, ask.estimate, [], [], granted, bool(stops.hard))
        for limit, subject, count in stops.limits:
            reservation.limits.append((limit.id, subject))
            count.add(now, _amount(limit, ask.estimate))
            self.touched[limit.id, subject] = count
            if limit.unit is Unit.TOKENS:
                self._under_way((limit.id, subject), ask.estimate)
        for account, subject in stops.budgets:
            reservation.budgets.append((account.budget.id, subject, account.window(now)))
            account.reserve(now, bound)
            self.touched[account.budget.id, subject] = account
        return reservation

    def standing(self, now: int, path: Path) -> Standing:
        """Return what a caller may know of its own limits and budgets: the tightest of each kind."""
        stops = self._stops(path)
        rates: dict[str, Rate] = {}
        for limit, _, count in stops.limits:
            left = count.left(now)
            if limit.unit not in rates or left < rates[limit.unit].left:
                rates[limit.unit] = Rate(limit.most, left, limit.window_ms, count.empties(now))
        return Standing(rates, max(0, min(account.left(now) for account in stops.hard)) if stops.hard else None)

    def judge(self, now: int, ask: Ask) -> int | Refusal | None:
        """Return why a call is refused, or how many output tokens it is granted: see `Reservation`. Counts nothing."""
        return self._judge(now, ask, self._stops(ask.path))

    def _judge(self, now: int, ask: Ask, stops: Stops) -> int | Refusal | None:
        if stops.nameless is not None:
            return Refusal("invalid_end_user", stops.nameless, -1)
        for limit, subject, count in stops.limits:
            amount = _amount(limit, ask.estimate)
            wait = count.wait(now, amount)
            if wait:
                code, left = f"{limit.unit}_limit_reached", count.left(now)
                return Refusal(code, limit.id, wait, limit.name, amount, left, limit.most, subject=subject)
        if not stops.hard:
            return None
        return _afford(now, ask, stops.hard, [account.left(now) for account in stops.hard])

    def hoped_for(self, now: int, refusal: Refusal, ask: Ask) -> str | None:
        """Return whose counter refuses a call that could pass if what is under way there were settled; else None.

        What has been answered may not be settled yet: then waiting a moment is right, and refusing is wrong.
        """
        stops = self._stops(ask.path)
        if stops.nameless is not None:
            return None
        for limit, subject, count in stops.limits:
            amount = _amount(limit, ask.estimate)
            if count.wait(now, amount) and not self._could_take(now, limit, subject, count, amount):
                return None
        lefts = [account.left(now) + account.reserved(now) for account in stops.hard]
        if lefts and isinstance(_afford(now, ask, stops.hard, lefts), Refusal):
            return None
        budgets = (who for account, who in stops.budgets if account.budget.id == refusal.rule)
        return refusal.subject or next(budgets)

    def _could_take(self, now: int, limit: Limit, subject: str, count: Count, amount: int) -> bool:
        """Tell whether there might be room for an amount, if nothing were under way."""
        used = count.used(now)
        under_way = {Unit.REQUESTS: 0, Unit.CONCURRENT: used, Unit.TOKENS: self.under_way.get((limit.id, subject), 0)}
        return used - under_way[limit.unit] + amount <= (limit.burst or limit.most)

    def _under_way(self, place: tuple[str, str], tokens: int) -> None:
        known = self.under_way.pop(place, 0) + tokens
        if known:
            self.under_way[place] = known

    def refused_place(self, refusal: Refusal) -> tuple[str, str | None, str | None] | None:
        """Return where a limit of requests refuses all calls alike: reach, who, and model; None of other rules."""
        limit = self.limits.get(refusal.rule)
        if limit is None or limit.unit is not Unit.REQUESTS:
            return None
        return limit.scope.reach, refusal.subject, limit.scope.model

    def settle(self, now: int, held: Reservation, cost: int, tokens: int, *, before: int | None = None) -> None:
        """Replace what a call was given by what it used. `before` is what it was charged already, when it is corrected.

        Rules that are gone meanwhile are passed over.
        """
        for rule, subject in held.limits if before is None else ():
            limit = self.limits.get(rule)
            if limit is not None:
                if limit.unit is Unit.TOKENS:
                    self._under_way((rule, subject), -held.estimate)
                given_back = {Unit.REQUESTS: 0, Unit.TOKENS: tokens - held.estimate, Unit.CONCURRENT: -1}[limit.unit]
                if given_back:
                    self._count(limit, subject).correct(now, held.since, given_back)
        for rule, subject, window in held.budgets:
            account = self._account(rule, subject)
            if account is not None:
                bound = held.bound if before is None else 0
                account.charge(now, window, held.since, bound, cost if before is None else cost - before)

    def restore(self, held: Reservation) -> None:
        """Count a call that is under way again, after a restart."""
        for rule, subject in held.limits:
            limit = self.limits.get(rule)
            if limit is not None and limit.unit is Unit.CONCURRENT:
                self._count(limit, subject).add(held.since, 1)
            elif limit is not None and limit.unit is Unit.TOKENS:
                self._under_way((rule, subject), held.estimate)
        for rule, subject, window in held.budgets:
            account = self._account(rule, subject)
            if account is not None:
                account.restore(held.since, window, held.bound)

    def warnings(self, now: int, held: Reservation) -> list[tuple[str, str, int]]:
        """Return the budgets of a settled call of which a warning part is newly spent: rule, subject, percent."""
        found = []
        for rule, subject, _ in held.budgets:
            account = self._account(rule, subject)
            part = account.warning(now) if account is not None else None
            if part is not None:
                found.append((rule, subject, part))
        return found

    def forget_idle(self, now: int) -> list[tuple[str, str]]:
        """Drop counters on which nothing counts any more; return their rules and subjects: nothing of them is kept."""
        self._take_kept()
        idle = [place for place, count in self.counts.items() if not count.used(now)]
        idle += [place for place, one in self.accounts.items() if not one.used(now) and not one.reserved(now)]
        for place in idle:
            self.counts.pop(place, None)
            self.accounts.pop(place, None)
        if idle:
            self.stops.clear()
        return idle

    def let_go(self, now: int) -> None:
        """Have every counter drop what no longer counts."""
        self._take_kept()
        counters: dict[tuple[str, str], Count | Account] = {**self.counts, **self.accounts}
        for one in counters.values():
            one.used(now)
        self.touched |= counters

    def _take_kept(self) -> None:
        """Make the counters of all that is kept."""
        for limit in self.policy.limits:
            for subject in [subject for rule, subject in self.kept if rule == limit.id]:
                self._count(limit, subject)
        for rule, subject in list(self.kept):
            self._account(rule, subject)

    def changes(self) -> list[tuple[str, str, int, int]]:
        """Return what must be kept: rule, subject, slot, and what is in it now."""
        touched, self.touched = self.touched, {}
        return [(*place, slot, amount) for place, one in touched.items() for slot, amount in one.changes().items()]

    def counters(self, now: int) -> dict[str, Counter]:
        """Return how much of each rule is used; not of those that count for each by itself."""
        shown: dict[str, Counter] = {}
        for limit in self.policy.limits:
            if limit.scope.id != EACH:
                shown[limit.id] = Counter(self._count(limit, limit.scope.id).used(now), 0, None)
        for budget in self.policy.budgets:
            account = self._account(budget.id, budget.scope.id)
            if account is not None and budget.scope.id != EACH:
                used = Counter(max(0, account.used(now)), account.reserved(now), account.ends(now))
                shown[budget.id] = used
        return shown

    def accounts_of(
        self, now: int, rule: str, after: str, most: int
    ) -> tuple[int, list[tuple[str, int, int]], bool] | None:
        """Return the begin of a budget's window, and the subjects behind `after` that it counts for, in their order.

        Of each: who it is, what is spent and what is reserved. At last, whether the windows of some begin later: after
        a change of the time zone those go on that had begun. None where there is no such budget.
        """
        budget = self.budgets.get(rule)
        if budget is None:
            return None
        subjects = sorted({who for name, who in (*self.accounts, *self.kept) if name == rule and who > after})[:most]
        known = ((who, self._account(rule, who)) for who in subjects)
        accounts = [(who, one) for who, one in known if one is not None]
        counting = [one for _, one in accounts if one.used(now) or one.reserved(now)]
        begins = {one.window(now) for one in counting or [Account(budget, self.policy.time_zone, {})]}
        return min(begins), [(who, one.used(now), one.reserved(now)) for who, one in accounts], len(begins) > 1

    def _stops(self, path: Path) -> Stops:
        key = tuple(path.items())
        stops = self.stops.get(key)
        if stops is None:
            if len(self.stops) >= MOST_PATHS:
                self.stops.clear()
            stops = self.stops[key] = self._new_stops(path)
        return stops

    def _new_stops(self, path: Path) -> Stops:
        limits = [
            (limit, subject, self._count(limit, subject))
            for limit in self.policy.limits
            for subject in limit.scope.subjects(path)
        ]
        budgets = [
            (account, subject)
            for budget in self.policy.budgets
            for subject in budget.scope.subjects(path)
            if (account := self._account(budget.id, subject)) is not None
        ]
        return Stops(limits, budgets, [one for one, _ in budgets if one.budget.hard], self._nameless(path))

    def _nameless(self, path: Path) -> str | None:
        if path.get("end_user") != NAMELESS:
            return None
        rules: tuple[Limit | Budget, ...] = (*self.policy.limits, *self.policy.budgets)
        return next((rule.id for rule in rules if rule.scope.type == "end_user" and rule.scope.concerns(path)), None)

    def _count(self, limit: Limit, subject: str) -> Count:
        place = (limit.id, subject)
        count = self.counts.get(place)
        if count is None:
            count = self.counts[place] = _new_count(limit, self.kept.pop(place, {}))
        self.touched[place] = count
        return count

    def _account(self, rule: str, subject: str) -> Account | None:
        place = (rule, subject)
        account = self.accounts.get(place)
        if account is None:
            budget = self.budgets.get(rule)
            if budget is None:
                return None
            account = self.accounts[place] = Account(budget, self.policy.time_zone, self.kept.pop(place, {}))
        self.touched[place] = account
        return account


def _afford(now: int, ask: Ask, hard: list[Account], lefts: list[int]) -> int | Refusal | None:
    """Return the output tokens to grant for each choice where the client did not say; None: as many as it likes.

    `lefts` is what is left of each hard budget.
    """
    left = min(lefts)
    tightest = hard[lefts.index(left)]
    least = _bound(ask, ask.output_tokens if ask.output_tokens is not None else 0)
    if least is None:
        return _spent(now, "cost_unknown", tightest, None, left)
    if least > left:
        return _spent(now, "budget_exceeded", tightest, least, left)
    price = (ask.output_price or 0) * ask.choices
    if ask.output_tokens is not None or not price:
        return None
    granted = (left - least) // price
    granted = granted if ask.most_output is None else min(granted, ask.most_output)
    floor = ask.floor if ask.most_output is None else min(ask.floor, ask.most_output)
    if granted < floor:
        return _spent(now, "budget_exceeded", tightest, least + floor * price, left)
    return granted


def _spent(now: int, code: str, account: Account, needs: int | None, left: int) -> Refusal:
    budget = account.budget
    return Refusal(code, budget.id, -1, budget.name, needs, max(0, left), budget.most_at(now), account.ends(now))


def _new_count(limit: Limit, kept: Mapping[int, int]) -> Count:
    if limit.unit is Unit.CONCURRENT:
        return AtOnce(limit.most)
    if limit.burst is not None:
        return Gcra(limit.most, limit.window_ms, limit.burst, kept)
    return Sliding(limit.most, limit.window_ms, kept)


def _amount(limit: Limit, estimate: int) -> int:
    return estimate if limit.unit is Unit.TOKENS else 1


def reserved_for(ask: Ask, granted: int | None) -> int:
    """Return what is reserved for a call that was let in, `granted` output tokens where it did not say itself."""
    output = ask.output_tokens if ask.output_tokens is not None else granted
    return min(_bound(ask, output or 0) or 0, MOST_BOUND)


def proved_for(ask: Ask, granted: int | None) -> int | None:
    """Return the most that a call can cost that was let in; None where nobody can tell: nothing bounds its output."""
    output = ask.output_tokens if ask.output_tokens is not None else granted
    return None if output is None and ask.output_price else _bound(ask, output or 0)


def _bound(ask: Ask, output_tokens: int) -> int | None:
    """Return the most that the call can cost with so many output tokens for each choice; None where nobody can tell."""
    if ask.input_price is None or ask.output_price is None or (ask.input_tokens is None and ask.input_price):
        return None
    tokens = (ask.input_tokens or 0) * ask.input_price + output_tokens * ask.choices * ask.output_price
    return ask.call_price + tokens
