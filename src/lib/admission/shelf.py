"""The counters that are in memory: of those that a call needs, and no more of the others than there is room for.

An organisation may count for a million end users. Each counter is made from what is kept of it, at its first use, and
put away again when others need its place: what is kept says all (`rate.py`). One stays where something of it is not
kept yet, or where calls are under way on it, which are kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from lib.admission.budget import BudgetCounter, life_of
from lib.admission.rate import NEVER, AtOnce, Before, Count, Gcra, Sliding, slice_of
from lib.admission.rules import Budget, Limit, Policy, Unit

Place = tuple[str, str]  # a rule and a subject
Slots = Mapping[int, int]
Load = Callable[[Sequence[Place]], Mapping[Place, Slots]]

MOST_COUNTERS = 10_000
SLOTS_EACH = 20  # that there is room for, taken together
_STEPS = 50  # how many that have to stay are passed over when one is to go


class Shelf:
    """Counters by rule and subject. `load` tells what is kept of some; `before` what limits were (see `rate.Before`).

    `generation` goes up when one is put away: whoever has kept hold of it must ask anew.
    """

    def __init__(self, policy: Policy, load: Load, before: Mapping[str, Before], most: int = MOST_COUNTERS) -> None:
        self._load = load
        self._most = most
        self.before = dict(before)
        self._counts: dict[Place, Count] = {}
        self._accounts: dict[Place, BudgetCounter] = {}
        self._sizes: dict[Place, int] = {}  # of all of them, those that have not changed for long first
        self._slots = 0
        self.touched: dict[Place, Count | BudgetCounter] = {}  # since `changes` was last asked
        self.generation = 0
        self._take(policy)

    def _take(self, policy: Policy) -> None:
        self.policy = policy
        self.limits = {limit.id: limit for limit in policy.limits}
        self.budgets = {budget.id: budget for budget in policy.budgets}

    def change(self, policy: Policy, now: int) -> set[str]:
        """Count by other rules; all changes must have been asked for. Return those whose counters must be made anew."""
        moved = policy.time_zone != self.policy.time_zone
        old: dict[str, Limit | Budget] = {**self.limits, **self.budgets}
        limits = self.limits
        self._take(policy)
        new: dict[str, Limit | Budget] = {**self.limits, **self.budgets}
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        for name in changed & limits.keys():
            self._note_before(limits[name], self.limits.get(name), now)
        raised = {name for name in changed if not moved and _counts_alike(old.get(name), new.get(name))}
        changed = (changed - raised) | (self.budgets.keys() if moved else set())
        for place in [place for place in self._sizes if place[0] in changed]:
            self._put_away(place)
        for place in [place for place in self._accounts if place[0] in raised]:
            self._accounts[place].budget = self.budgets[place[0]]
        return changed

    def _note_before(self, old: Limit, new: Limit | None, now: int) -> None:
        if new is None or old.unit is Unit.CONCURRENT:
            self.before.pop(old.id, None)
        elif (old.window_ms, old.burst is None) != (new.window_ms, new.burst is None):
            gone = now - old.window_ms if new.burst is None else now + slice_of(old.window_ms)
            until = self.before.get(old.id, NEVER).until
            self.before[old.id] = Before(max(until, gone) if old.burst is None else until, now)

    def need(self, places: Iterable[Place]) -> None:
        """Have these in memory, as far as there are such rules."""
        wanted = dict.fromkeys(places)
        missing = [place for place in wanted if place not in self._sizes and self._knows(place[0])]
        if missing:
            self._make_room(len(missing), wanted)
            self._make(missing)

    def count(self, limit: Limit, subject: str) -> Count:
        place = (limit.id, subject)
        count = self._counts.get(place)
        if count is None:
            self.need([place])
            count = self._counts[place]
        return count

    def counter(self, rule: str, subject: str) -> Count | BudgetCounter | None:
        """Return the counter of a rule and subject, which may be changed; None where there is no such rule."""
        limit, place = self.limits.get(rule), (rule, subject)
        one = self.account(rule, subject) if limit is None else self.count(limit, subject)
        if one is not None:
            self.touched[place] = one
        return one

    def account(self, rule: str, subject: str) -> BudgetCounter | None:
        """Return a budget's counter; None where there is no such budget."""
        place = (rule, subject)
        account = self._accounts.get(place)
        if account is None and rule in self.budgets:
            self.need([place])
            account = self._accounts[place]
        return account

    def changes(self) -> list[tuple[str, str, int, int]]:
        """Return what must be kept: rule, subject, slot, and what is in it now."""
        touched, self.touched = self.touched, {}
        for place, one in touched.items():
            self._slots += one.size - self._sizes.pop(place, 0)
            self._sizes[place] = one.size
        return [(*place, slot, amount) for place, one in touched.items() for slot, amount in one.changes().items()]

    def make_room(self) -> None:
        """Put away what is too much, once what `changes` told is kept."""
        self._make_room(0, ())

    def subjects(self, rule: str, after: str) -> list[str]:
        """Return whom a rule counts in memory, behind a subject."""
        return [who for name, who in self._sizes if name == rule and who > after]

    def look(self, rule: str, subjects: Sequence[str]) -> dict[str, BudgetCounter]:
        """Return a budget's counters without keeping them in memory."""
        missing = [(rule, who) for who in subjects if (rule, who) not in self._accounts]
        kept = self._load(missing) if missing else {}
        budget, zone = self.budgets[rule], self.policy.time_zone
        return {
            who: self._accounts.get((rule, who)) or BudgetCounter(budget, zone, kept.get((rule, who), {}))
            for who in subjects
        }

    def dead(self, now: int, rows: Iterable[tuple[str, str, int, int]]) -> list[tuple[str, str, int]]:
        """Return which of these slots count no more, whatever becomes of the rules. A row also has its amount."""
        found = [(rule, who, slot) for rule, who, slot, amount in rows if self._is_dead(now, rule, slot, amount)]
        return found + [(rule, who, 1) for rule, who, slot in found if slot == 0 and rule in self.limits]

    def _is_dead(self, now: int, rule: str, slot: int, amount: int) -> bool:
        budget, limit = self.budgets.get(rule), self.limits.get(rule)
        if budget is not None:
            life = life_of(budget)
            return life is not None and abs(slot) + life <= now
        if limit is None or limit.unit is Unit.CONCURRENT:
            return True
        if slot <= 1:  # a bucket's two: by the first it is empty again, or not; the second goes with it
            return slot == 0 and amount < now
        return slot <= self.before.get(rule, NEVER).until or (limit.burst is None and slot + limit.window_ms <= now)

    def _knows(self, rule: str) -> bool:
        return rule in self.limits or rule in self.budgets

    def _make(self, places: Sequence[Place]) -> None:
        kept = self._load(places)
        for place in places:
            slots = kept.get(place, {})
            limit = self.limits.get(place[0])
            one: Count | BudgetCounter
            if limit is not None:
                one = self._counts[place] = self._new_count(limit, place, slots)
            else:
                one = self._accounts[place] = self._new_account(self.budgets[place[0]], place, slots)
            self._sizes[place] = one.size
            self._slots += one.size

    def _new_count(self, limit: Limit, place: Place, kept: Slots) -> Count:  # noqa: ARG002 - it counts for whomever
        return _new_count(limit, kept, self.before.get(limit.id, NEVER))

    def _new_account(self, budget: Budget, place: Place, kept: Slots) -> BudgetCounter:  # noqa: ARG002
        return BudgetCounter(budget, self.policy.time_zone, kept)

    def _make_room(self, room: int, wanted: Collection[Place]) -> None:
        tries = room + _STEPS
        while tries and self._sizes and self._is_full(room):
            tries -= 1
            place = next(iter(self._sizes))
            one = self._counts.get(place) or self._accounts[place]
            if place in self.touched or place in wanted or one.holds:
                self._sizes[place] = self._sizes.pop(place)  # its turn comes later
            else:
                self._put_away(place)

    def _is_full(self, room: int) -> bool:
        return len(self._sizes) + room > self._most or self._slots > self._most * SLOTS_EACH

    def _put_away(self, place: Place) -> None:
        self._slots -= self._sizes.pop(place)
        self._counts.pop(place, None)
        self._accounts.pop(place, None)
        self.touched.pop(place, None)
        self.generation += 1


def _counts_alike(old: Limit | Budget | None, new: Limit | Budget | None) -> bool:
    """Tell whether a budget has another amount, mode or name, and nothing else that its counters know of."""
    return isinstance(old, Budget) and isinstance(new, Budget) and (old.scope, old.window) == (new.scope, new.window)


def _new_count(limit: Limit, kept: Slots, before: Before) -> Count:
    if limit.unit is Unit.CONCURRENT:
        return AtOnce(limit.most)
    if limit.burst is not None:
        return Gcra(limit.most, limit.window_ms, limit.burst, kept)
    return Sliding(limit.most, limit.window_ms, {slot: amount for slot, amount in kept.items() if slot > 1}, before)
