"""Whether a call may go on: every limit and every budget on its path, at once.

Pure: no I/O, no clock. The gate around it (`gate.py`) sees to it that one decision is made at a time, and that what is
counted here is on disk before anybody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from lib.admission.budget import BudgetCounter
from lib.admission.counters import Counter
from lib.admission.decision import Ask, Refusal, Reservation, afford, amount_of, reserved_for
from lib.admission.rate import Before, Count
from lib.admission.rules import EACH, NAMELESS, Limit, Path, Policy, Unit
from lib.admission.shelf import MOST_COUNTERS, Load, Place, Shelf
from lib.admission.whom import Index

# Of so many paths it is remembered which rules concern them.
MOST_PATHS = 1_000


@dataclass(slots=True)
class Stops:
    """Where calls of one path are counted: each limit with its subject and counter, and each budget's with its own.

    `nameless` is a rule that counts end users, where the call's is no text: it could count on nobody. The counters are
    those of a `generation` of the shelf.
    """

    places: list[Place]
    nameless: str | None
    generation: int = -1
    limits: list[tuple[Limit, str, Count]] = field(default_factory=list)
    budgets: list[tuple[BudgetCounter, str]] = field(default_factory=list)
    hard: list[BudgetCounter] = field(default_factory=list)


class Book:
    """All that an organisation counts, by rule and subject. `load`, `before` and `most` are as for `Shelf`.

    `shelf` makes it.
    """

    def __init__(
        self,
        policy: Policy,
        load: Load,
        before: Mapping[str, Before] | None = None,
        most: int = MOST_COUNTERS,
        shelf: Callable[[Policy, Load, Mapping[str, Before], int], Shelf] = Shelf,
    ) -> None:
        self.policy = policy
        self._shelf = shelf(policy, load, before or {}, most)
        self._index = Index(policy)
        self._stops_of: dict[tuple[tuple[str, str], ...], Stops] = {}  # by path: most calls are alike
        self._tokens: dict[Place, int] = {}  # of calls that are under way, and so are only estimated yet

    @property
    def shelf(self) -> Shelf:
        """The counters; for who keeps them, and for who looks at many."""
        return self._shelf

    def places(self, path: Path) -> list[Place]:
        """Return where a call of this path counts."""
        return self._known_stops(path).places

    def decide(self, now: int, ask: Ask) -> Reservation | Refusal:
        """Let a call in, and count it everywhere; or refuse it, and count it nowhere."""
        stops = self._stops(ask.path)
        granted = self._judge(now, ask, stops)
        if isinstance(granted, Refusal):
            return granted
        bound = reserved_for(ask, granted)
        reservation = Reservation(now, bound, ask.estimate, [], [], granted, bool(stops.hard))
        touched = self._shelf.touched
        for limit, subject, count in stops.limits:
            place = limit.id, subject
            reservation.limits.append(place)
            count.add(now, amount_of(limit, ask.estimate))
            touched[place] = count
            if limit.unit is Unit.TOKENS:
                self._under_way(place, ask.estimate)
        for account, subject in stops.budgets:
            rule = account.budget.id
            reservation.budgets.append((rule, subject, account.reserve(now, bound)))
            touched[rule, subject] = account
        return reservation

    def standing(self, now: int, path: Path) -> tuple[dict[str, list[int]], int | None]:
        """Return what a caller may know of its own limits and budgets.

        Of the tightest limit of each unit: how much, how much of it is left, its window, and in how many ms all of it
        is there again. And what is left of the tightest hard budget; None where there is none.
        """
        stops = self._stops(path)
        rates: dict[str, list[int]] = {}
        for limit, _, count in stops.limits:
            left = count.left(now)
            if limit.unit not in rates or left < rates[limit.unit][1]:
                rates[limit.unit] = [limit.most, left, limit.window_ms, count.empties(now)]
        return rates, max(0, min([account.left(now) for account in stops.hard])) if stops.hard else None

    def judge(self, now: int, ask: Ask) -> int | Refusal | None:
        """Return why a call is refused, or how many output tokens it is granted: see `Reservation`. Counts nothing."""
        return self._judge(now, ask, self._stops(ask.path))

    def _judge(self, now: int, ask: Ask, stops: Stops) -> int | Refusal | None:
        if stops.nameless is not None:
            return Refusal("invalid_end_user", stops.nameless, -1)
        for limit, subject, count in stops.limits:
            amount = amount_of(limit, ask.estimate)
            wait = count.wait(now, amount)
            if wait:
                code, left = f"{limit.unit}_limit_reached", count.left(now)
                return Refusal(code, limit.id, wait, limit.name, amount, left, limit.most, subject=subject)
        if not stops.hard:
            return None
        return afford(now, ask, stops.hard, [account.left(now) for account in stops.hard])

    def hoped_for(self, now: int, refusal: Refusal, ask: Ask) -> str | None:
        """Return whose counter refuses a call that could pass if what is under way there were settled; else None.

        What has been answered may not be settled yet: then waiting a moment is right, and refusing is wrong.
        """
        stops = self._stops(ask.path)
        if stops.nameless is not None:
            return None
        for limit, subject, count in stops.limits:
            amount = amount_of(limit, ask.estimate)
            if count.wait(now, amount) and not self._could_take(now, limit, subject, count, amount):
                return None
        lefts = [account.left(now) + account.reserved(now) for account in stops.hard]
        if lefts and isinstance(afford(now, ask, stops.hard, lefts), Refusal):
            return None
        budgets = (who for account, who in stops.budgets if account.budget.id == refusal.rule)
        return refusal.subject or next(budgets)

    def _could_take(self, now: int, limit: Limit, subject: str, count: Count, amount: int) -> bool:
        """Tell whether there might be room for an amount, if nothing were under way."""
        used = count.used(now)
        under_way = {Unit.REQUESTS: 0, Unit.CONCURRENT: used, Unit.TOKENS: self._tokens.get((limit.id, subject), 0)}
        return used - under_way[limit.unit] + amount <= (limit.burst or limit.most)

    def _under_way(self, place: tuple[str, str], tokens: int) -> None:
        known = self._tokens.pop(place, 0) + tokens
        if known:
            self._tokens[place] = known

    def refused_place(self, refusal: Refusal) -> tuple[str, str, str | None] | None:
        """Return where a limit of requests refuses all calls alike: reach, who, and model; None of other rules."""
        limit = self._shelf.limits.get(refusal.rule)
        if limit is None or limit.unit is not Unit.REQUESTS:
            return None
        return limit.scope.reach, refusal.subject, limit.scope.model

    def settle(
        self, now: int, held: Reservation, cost: int, tokens: int, *, before: int | None = None
    ) -> list[tuple[str, str, int]]:
        """Replace what a call was given by what it used. `before` is what it was charged already, when it is corrected.

        Rules that are gone meanwhile are passed over. Return the budgets of which a warning part is newly spent: rule,
        subject, percent.
        """
        shelf, warnings = self._shelf, []
        for rule, subject in held.limits if before is None else ():
            limit = shelf.limits.get(rule)
            if limit is None or limit.unit is Unit.REQUESTS:
                continue
            given_back = -1
            if limit.unit is Unit.TOKENS:
                self._under_way((rule, subject), -held.estimate)
                given_back = tokens - held.estimate
            if given_back:
                count = shelf.touched[rule, subject] = shelf.count(limit, subject)
                count.correct(now, held.since, given_back)
        bound, more = (held.bound, cost) if before is None else (0, cost - before)
        for rule, subject, window in held.budgets:
            account = shelf.account(rule, subject)
            if account is not None:
                shelf.touched[rule, subject] = account
                account.charge(now, window, held.since, bound, more)
                part = account.warning(now)
                if part is not None:
                    warnings.append((rule, subject, part))
        return warnings

    def change(self, policy: Policy, now: int, under_way: Iterable[Reservation]) -> None:
        """Count by other rules, once all that has changed is kept. Counters of rules that are as they were stay."""
        changed = self._shelf.change(policy, now)
        self.policy, self._index, self._stops_of = policy, Index(policy), {}
        self._tokens = {place: tokens for place, tokens in self._tokens.items() if place[0] not in changed}
        self.restore(under_way, changed)

    def restore(self, under_way: Iterable[Reservation], rules: Container[str]) -> None:
        """Count calls that are under way again on these rules, after a restart or a change."""
        calls = sorted(under_way, key=lambda held: held.since)
        self._shelf.need(place for held in calls for place in held.places if place[0] in rules)
        for held in calls:
            self._restore(held, rules)

    def _restore(self, held: Reservation, rules: Container[str]) -> None:
        for rule, subject in held.limits:
            limit = self._shelf.limits.get(rule) if rule in rules else None
            if limit is not None and limit.unit is Unit.CONCURRENT:
                self._shelf.count(limit, subject).add(held.since, 1)
            elif limit is not None and limit.unit is Unit.TOKENS:
                self._under_way((rule, subject), held.estimate)
        for rule, subject, window in held.budgets:
            account = self._shelf.account(rule, subject) if rule in rules else None
            if account is not None:
                account.restore(held.since, window, held.bound)

    def counters(self, now: int) -> dict[str, Counter]:
        """Return how much of each rule is used; not of those that count for each by itself."""
        shown: dict[str, Counter] = {}
        self._shelf.need((rule.id, rule.scope.id) for rule in self._shelf.policy.rules if rule.scope.id != EACH)
        for limit in self._shelf.policy.limits:
            if limit.scope.id != EACH:
                shown[limit.id] = Counter(self._shelf.count(limit, limit.scope.id).used(now), 0, None)
        for budget in self._shelf.policy.budgets:
            account = self._shelf.account(budget.id, budget.scope.id) if budget.scope.id != EACH else None
            if account is not None:
                used = Counter(max(0, account.used(now)), account.reserved(now), account.ends(now))
                shown[budget.id] = used
        return shown

    def _stops(self, path: Path) -> Stops:
        stops = self._known_stops(path)
        if stops.generation != self._shelf.generation:
            self._fill(stops)
        return stops

    def _known_stops(self, path: Path) -> Stops:
        key = tuple(path.items())
        stops = self._stops_of.get(key)
        if stops is None:
            if len(self._stops_of) >= MOST_PATHS:
                del self._stops_of[next(iter(self._stops_of))]
            stops = self._stops_of[key] = Stops(self._index.places(path), self._nameless(path))
        return stops

    def _fill(self, stops: Stops) -> None:
        shelf = self._shelf
        shelf.need(stops.places)
        stops.generation = shelf.generation
        stops.limits = [
            (shelf.limits[rule], who, shelf.count(shelf.limits[rule], who))
            for rule, who in stops.places
            if rule in shelf.limits
        ]
        accounts = ((shelf.account(rule, who), who) for rule, who in stops.places if rule not in shelf.limits)
        stops.budgets = [(account, who) for account, who in accounts if account is not None]
        stops.hard = [account for account, _ in stops.budgets if account.budget.hard]

    def _nameless(self, path: Path) -> str | None:
        if path.get("end_user") != NAMELESS:
            return None
        rules = self._shelf.policy.rules
        return next((rule.id for rule in rules if rule.scope.type == "end_user" and rule.scope.concerns(path)), None)
