"""The home's book of leases: what an organisation's gate has lent to its regions. The protocol is in docs/scaling.md.

Pure logic over the gate's SQLite. What is lent of a budget is reserved there, and what a region tells of its spending
takes the place of what was reserved. What is lent of a limit is counted as if it were used at the lease's end. So
nothing but the counters themselves decides how much is left, for the home's own calls and for the next lease alike.

A region's exchanges are numbered, and each is taken once: a repeated one gets the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

from pydantic_core import from_json, to_json

from lib.admission.budget import BudgetCounter
from lib.admission.gate_sql import LEASED_FROM, Sql, write
from lib.admission.rate import Sliding
from lib.admission.rules import EACH, Budget, Limit, Unit
from lib.admission.shelf import Place, Shelf

# How long a region may decide by the policy that it knows, from when it asked. So long at most does a change of the
# policy wait for a region that does not answer, and so long is the longest that a region lets calls in without us.
POLICY_LEASE_MS = 3_000
# How long a region may let calls in under a lease of a limit.
RATE_LEASE_MS = 5_000
# A limit of a shorter window is not leased: what is lent counts for a lease's length longer.
LEAST_WINDOW_MS = 4 * RATE_LEASE_MS
# How long nothing is lent of what was called back, since there was too little.
REST_MS = 2_000
# What a region holds unspent after a grant is at most the free part divided by this and by the regions that hold some.
SHARE = 2
# The end of what has no end.
NEVER_MS = 2**53

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS edition (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO edition VALUES (1, 1)",
    "CREATE TABLE IF NOT EXISTS regions (region TEXT PRIMARY KEY, number INT NOT NULL, answer TEXT NOT NULL)",
    # Of a budget, `epoch` is the begin of its window, `granted` all that was lent in it, and `spent` what is told of
    # it. Of a limit, `epoch` is the lease's end, and `granted` what it is.
    """CREATE TABLE IF NOT EXISTS leases (
        rule TEXT, subject TEXT, region TEXT, epoch INT, granted INT NOT NULL, spent INT NOT NULL,
        PRIMARY KEY (rule, subject, region, epoch)
    ) WITHOUT ROWID""",
)
_KEEP = (
    "INSERT OR REPLACE INTO leases SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5"
    " FROM json_each(?1)"
)
_DROP = (
    "DELETE FROM leases WHERE (rule, subject, region, epoch) IN"
    " (SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1))"
)
_READ = "SELECT rule, subject, region, epoch, CAST(granted AS TEXT), CAST(spent AS TEXT) FROM leases"

_Key = tuple[str, str, str, int]  # rule, subject, region, epoch


def leasable(rule: Limit | Budget) -> bool:
    """Tell whether a region may decide under leases of this rule. Calls that another rule concerns go to the home."""
    if rule.scope.type == "end_user" and rule.scope.id == EACH:
        return False  # many with few calls each: a lease each would cost more than it saves
    if isinstance(rule, Budget):
        return not rule.window.startswith("rolling:")
    return rule.unit is Unit.REQUESTS and rule.burst is None and rule.window_ms >= LEAST_WINDOW_MS


def _lends(shelf: Shelf, name: str) -> bool:
    """Tell whether there is such a rule, of which something may be lent."""
    rule = shelf.limits.get(name) or shelf.budgets.get(name)
    return rule is not None and leasable(rule)


def _is_over(epoch: int, now: int) -> bool:
    """Tell whether a lease of a limit ended so long ago that nothing of it is given back."""
    return epoch <= now - RATE_LEASE_MS


@dataclass(slots=True)
class _Lease:
    granted: int
    spent: int


class Leases:
    """What the home has lent. Times are milliseconds since 1970, by the home's clock."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        for statement in SCHEMA:
            sql.run(statement)
        self._numbers = {str(name): int(number) for name, number in sql.run("SELECT region, number FROM regions")}
        self._leases: dict[Place, dict[tuple[str, int], _Lease]] = {}  # by region and epoch
        for rule, subject, region, epoch, granted, spent in sql.run(_READ):
            place = self._leases.setdefault((rule, subject), {})
            place[region, int(epoch)] = _Lease(int(granted), int(spent))
        self._changed: set[_Key] = set()
        self._resting: dict[Place, int] = {}  # until when
        [[self._edition]] = sql.run("SELECT number FROM edition")
        self.reported: set[Place] = set()  # of which spending was told since somebody emptied this
        self._until: dict[str, int] = {}  # until when a region may decide by the policy, where that is known

    @property
    def regions(self) -> Collection[str]:
        """The regions that have ever asked."""
        return self._numbers.keys()

    def restore(self, shelf: Shelf, rules: Container[str]) -> None:
        """Reserve what is lent of these budgets, whose counters are made anew. What is lent of limits is kept there."""
        budgets = {name for name, budget in shelf.budgets.items() if name in rules and leasable(budget)}
        places = [place for place in self._leases if place[0] in budgets]
        shelf.need(places)
        for place in places:
            counter = shelf.account(*place)
            for (_, epoch), lease in self._leases[place].items():
                if counter is not None and lease.granted != lease.spent:
                    counter.restore(epoch, epoch, lease.granted - lease.spent)
        # Of a rule that is gone, nothing counts any more.
        gone = [place for place in self._leases if not _lends(shelf, place[0])]
        self._changed |= {(*place, *key) for place in gone for key in self._leases[place]}
        for key in list(self._changed):
            self._set(key, None)
        self._keep()

    def holders(self, rule: str, subject: str) -> set[str]:
        """Return the regions that may hold something of this that is not spent."""
        leases = self._leases.get((rule, subject), {})
        return {region for (region, _), lease in leases.items() if lease.granted > lease.spent}

    def held(self, rule: str, subject: str) -> bool:
        """Tell whether a region may hold something of this that is not spent."""
        return bool(self.holders(rule, subject))

    def changed(self) -> None:
        """Note that the policy changes: no region is told from now on that it may decide by the one before."""
        if self._numbers:  # else none was ever told of any
            self._edition += 1
            self._sql.run("UPDATE edition SET number = number + 1")

    def deciding(self, now: int) -> dict[str, int]:
        """Return the regions that may decide by some policy, each with until when at the latest."""
        for region in self._numbers:  # after a restart nobody knows when one has asked last
            self._until.setdefault(region, now + POLICY_LEASE_MS)
        return {region: until for region, until in self._until.items() if until > now}

    @property
    def edition(self) -> int:
        """The number of the policy, with all its rules: a region that knows another one must not decide by it."""
        return int(self._edition)

    def lend_policy(self, region: str, now: int) -> None:
        """Note that a region is told now that its policy is the present one."""
        self._until[region] = now + POLICY_LEASE_MS

    def rest(self, rule: str, subject: str, now: int) -> None:
        """Lend nothing of this for a while: it was called back."""
        self._resting[rule, subject] = now + REST_MS

    def hear(self, region: str, message: str, shelf: Shelf, now: int, *, lend: bool) -> tuple[int, str]:
        """Take one exchange of a region, `[number, reports, wishes]` as JSON; return its number, and the answer to it.

        A report is `[rule, subject, epoch, kept, spent, over]`: the lease is `kept` now, of which so much is spent;
        with `over`, nothing of it is under way. A wish is `[rule, subject, amount]`. The answer is an array of
        `[rule, subject, epoch, ends_ms, amount, life_ms]`, one for each wish of a rule that there is.
        """
        number, reports, wishes, *_ = from_json(message)  # here and below a later release may say more
        newest = self._numbers.get(region, 0)
        if number == newest and newest:
            [[answer]] = self._sql.run("SELECT answer FROM regions WHERE region = ?", region)
            return number, str(answer)
        if number < newest:
            return number, "[]"  # one that was repeated and is long over: nobody waits for its answer
        shelf.need((rule, subject) for rule, subject, *_ in reports + wishes)
        for rule, subject, epoch, kept, spent, over, *_ in reports:
            self._report((rule, subject, region, epoch), shelf.counter(rule, subject), kept, spent, now, over=over)
        told = [
            grant
            for rule, subject, amount, *_ in wishes
            if (grant := self._wish((rule, subject, region), amount, shelf, now, lend=lend and _lends(shelf, rule)))
        ]
        answer = to_json(told).decode()
        if not self._numbers:
            self._sql.run(LEASED_FROM)
        self._numbers[region] = number
        self._sql.run("INSERT OR REPLACE INTO regions VALUES (?, ?, ?)", region, number, answer)
        self._keep()
        return number, answer

    def _report(self, key: _Key, counter: object, kept: int, spent: int, now: int, *, over: bool) -> None:
        lease, epoch = self._lease(key), key[3]
        soft = isinstance(counter, BudgetCounter) and not counter.budget.hard  # it refuses nobody
        granted = max(kept if soft else min(kept, lease.granted), spent)
        gone = over
        if isinstance(counter, BudgetCounter):
            gone = over or counter.window(now) != epoch
            held = lease.granted - lease.spent
            counter.charge(now, epoch, now, held - (0 if gone else granted - spent), spent - lease.spent)
            self.reported.add(key[:2])
        elif isinstance(counter, Sliding) and lease.granted > granted and not _is_over(epoch, now):
            counter.correct(now, epoch, granted - lease.granted)
        self._set(key, None if gone else _Lease(granted, spent))

    def _wish(
        self, wisher: tuple[str, str, str], amount: int, shelf: Shelf, now: int, *, lend: bool
    ) -> list[object] | None:
        rule, subject, region = wisher
        counter = shelf.counter(rule, subject)
        if isinstance(counter, BudgetCounter):
            epoch, ends, life = counter.window(now), counter.ends(now) or NEVER_MS, 0
        elif isinstance(counter, Sliding):
            epoch, ends, life = now + RATE_LEASE_MS, NEVER_MS, RATE_LEASE_MS
            self._forget((rule, subject), now)
        else:
            return None
        granted = self._part(region, (rule, subject), counter.left(now), amount, now) if lend else 0
        if granted:
            lease = self._lease((*wisher, epoch))
            self._set((*wisher, epoch), _Lease(lease.granted + granted, lease.spent))
            if isinstance(counter, BudgetCounter):
                counter.restore(now, epoch, granted)
            else:
                counter.add_until(now, epoch, granted)
        return [rule, subject, epoch, ends, granted, life]

    def _part(self, region: str, place: Place, left: int, amount: int, now: int) -> int:
        """Return how much is lent: never more than is left, and only a share of it."""
        if self._resting.get(place, 0) > now:
            return 0
        self._resting.pop(place, None)
        leases = self._leases.get(place, {})
        holders = {name for name, _ in leases} | {region}
        unspent = sum(lease.granted - lease.spent for (name, _), lease in leases.items() if name == region)
        return max(0, min(amount, left, (left + unspent) // (SHARE * len(holders)) - unspent))

    def _forget(self, place: Place, now: int) -> None:
        """Forget leases of a limit that ended so long ago that nothing of them is given back: they are counted."""
        for region, epoch in list(self._leases.get(place, {})):
            if _is_over(epoch, now):
                self._set((*place, region, epoch), None)

    def _lease(self, key: _Key) -> _Lease:
        return self._leases.get(key[:2], {}).get(key[2:]) or _Lease(0, 0)

    def _set(self, key: _Key, lease: _Lease | None) -> None:
        self._changed.add(key)
        leases = self._leases.setdefault(key[:2], {})
        if lease is not None:
            leases[key[2:]] = lease
            return
        leases.pop(key[2:], None)
        if not leases:
            del self._leases[key[:2]]

    def _keep(self) -> None:
        kept, gone = [], []
        for key in self._changed:
            lease = self._leases.get(key[:2], {}).get(key[2:])
            if lease is None:
                gone.append(key)
            else:
                kept.append((*key, lease.granted, lease.spent))
        write(self._sql, _KEEP, kept)
        write(self._sql, _DROP, gone)
        self._changed.clear()
