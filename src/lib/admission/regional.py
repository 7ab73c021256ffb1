"""The gate of a region: it lets calls in under what it has leased from the organisation's gate, the home.

The protocol is in docs/scaling.md. Here is what a region keeps of its leases, and its book, which lets in only what
they cover and refuses all else: who is refused by a region asks the home.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Set
from dataclasses import dataclass, field
from functools import partial

from pydantic_core import from_json, to_json

from lib.admission.book import Book, Stops
from lib.admission.budget import BudgetCounter
from lib.admission.decision import Ask, Refusal, Reservation, bound_of
from lib.admission.gate_sql import Sql, write
from lib.admission.leases import POLICY_LEASE_MS, RATE_LEASE_MS, leasable
from lib.admission.lots import Elsewhere, Lot, Lots, Share, Slice
from lib.admission.rate import Before, Count
from lib.admission.rules import Budget, Limit, Policy
from lib.admission.shelf import Load, Place, Shelf, Slots

# How often a region asks for more at most, and how long its spending may be untold.
ASK_AGAIN_MS = 200
# Without a call for so long, all that is not used goes back.
IDLE_MS = 5_000
# What a region wishes to hold: so often what it has let in since it asked last.
AHEAD = 4
# On so many counters a region holds leases at most: calls on others go to the home.
MOST_PLACES = 500

SCHEMA = (
    # `message` is the exchange that is not answered yet.
    """CREATE TABLE IF NOT EXISTS exchange (
        one INTEGER PRIMARY KEY CHECK (one = 1), number INT, message TEXT, edition INT
    )""",
    "INSERT OR IGNORE INTO exchange VALUES (1, 0, '', 0)",
    """CREATE TABLE IF NOT EXISTS lots (
        rule TEXT, subject TEXT, epoch INT, ends_ms INT NOT NULL, granted INT NOT NULL, brief INT NOT NULL,
        PRIMARY KEY (rule, subject, epoch)
    ) WITHOUT ROWID""",
)
_KEEP = (
    "INSERT OR REPLACE INTO lots SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,"
    " value ->> 5 FROM json_each(?1)"
)
_DROP = (
    "DELETE FROM lots WHERE (rule, subject, epoch) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))"
)
_READ = "SELECT rule, subject, epoch, ends_ms, CAST(granted AS TEXT), brief FROM lots"


@dataclass(slots=True)
class Leased:
    """What a region has leased, and what it would have: by the rule and whose counter."""

    lots: dict[Place, Lots] = field(default_factory=dict)
    wants: dict[Place, int] = field(default_factory=dict)  # what was asked of each since the last exchange
    hungry: bool = False  # whether somebody was sent to the home for want of a lease, or will be soon

    def of(self, place: Place) -> Lots:
        return self.lots.setdefault(place, {})

    def forget(self, place: Place) -> None:
        """Forget what is counted here: its counter is put away."""
        lots = self.lots.get(place)
        if not lots:
            self.lots.pop(place, None)
            return
        for lot in lots.values():
            lot.used = lot.reserved = 0

    def want(self, place: Place, amount: int) -> int:
        """Note what is asked of a counter; return how much that is since the last exchange.

        Who has asked for more than is left needs more soon: asked for then, it comes before it lacks.
        """
        wanted = self.wants.get(place, 0) + amount
        if place in self.wants or len(self.wants) < MOST_PLACES:
            self.wants[place] = wanted
        return wanted


class RegionalShelf(Shelf):
    """The counters of a region: they count on what is leased."""

    def __init__(self, leased: Leased, policy: Policy, load: Load, before: Mapping[str, Before], most: int) -> None:
        super().__init__(policy, load, before, most)
        self._leased = leased

    def _new_count(self, limit: Limit, place: Place, kept: Slots) -> Count:
        return Share(self._leased.of(place), kept) if leasable(limit) else Elsewhere()

    def _new_account(self, budget: Budget, place: Place, kept: Slots) -> BudgetCounter:
        return Slice(budget, self._leased.of(place), kept)

    def _put_away(self, place: Place) -> None:
        super()._put_away(place)
        self._leased.forget(place)


class RegionalBook(Book):
    """The counters of a region. Its refusals are not told to clients: they mean that the home is to be asked."""

    def __init__(self, leased: Leased, policy: Policy, load: Load, before: Mapping[str, Before], most: int) -> None:
        super().__init__(policy, load, before, most, partial(RegionalShelf, leased))
        self.leased = leased

    def decide(self, now: int, ask: Ask) -> Reservation | Refusal:
        """Let a call in where the leases cover all that it may take; and note what it took, or would have taken."""
        stops = self._stops(ask.path)
        bound = self._whole(ask, stops)
        if bound is None:
            return _HOME
        leased = self.leased
        for limit, subject, count in stops.limits:
            wanted = leased.want((limit.id, subject), 1)
            leased.hungry = leased.hungry or count.left(now) <= max(AHEAD, wanted)
        slices, least = [], bound
        for account, subject in stops.budgets:
            wanted = leased.want((account.budget.id, subject), bound)
            if not isinstance(account, Slice):  # the shelf makes no others
                return _HOME
            slices.append(account)
            if account.budget.hard:
                left = account.left(now)
                least = min(least, left)
                leased.hungry = leased.hungry or left < bound * AHEAD or left <= wanted
        opened = all(one.opened(now) for one in slices)
        leased.hungry = leased.hungry or not opened
        return super().decide(now, ask) if opened and least >= bound else _HOME

    def _whole(self, ask: Ask, stops: Stops) -> int | None:
        """Return the most that a call may take, with all the output that it may be granted.

        None where a region can't decide: a rule is not leased, or nobody can tell the most.
        """
        rules = [limit for limit, _, _ in stops.limits] + [account.budget for account, _ in stops.budgets]
        if stops.nameless is not None or not all(map(leasable, rules)):
            return None
        output = ask.output_tokens if ask.output_tokens is not None else ask.most_output
        if output is None and stops.hard:
            return None
        bound = bound_of(ask, output or 0)
        return bound if bound is not None or stops.hard else 0


_HOME = Refusal("home", "", 0)


Leasing = Slice | Share
Report = tuple[str, str, int, int, int, bool]
_REPORT = 6  # parts; one that a later release has left may have more
Counters = Callable[[str, str], object]


@dataclass(slots=True)
class _Sent:
    """An exchange under way. `first_ms` is when it was first sent; None where that was before a restart."""

    message: str
    first_ms: int | None
    reports: list[Report]


class Region:
    """A region's side of the exchanges with the home. Times are milliseconds since 1970, by the region's clock.

    What is on disk is lowered before it is told, and raised after it was heard.
    """

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        for statement in SCHEMA:
            sql.run(statement)
        [[number, message, edition]] = sql.run("SELECT number, message, edition FROM exchange")
        self._number, self.edition = int(number), int(edition)
        self._sent = _Sent(message, None, [tuple(one[:_REPORT]) for one in from_json(message)[1]]) if message else None
        self.leased = Leased()
        for rule, subject, epoch, ends_ms, granted, brief in sql.run(_READ):
            self.leased.of((rule, subject))[int(epoch)] = Lot(int(ends_ms), int(granted), brief=bool(brief))
        self._changed: set[tuple[Place, int]] = set()
        self._least_edition = self._decides_until = 0
        self._asked_ms = self._used_ms = 0

    def book(self, policy: Policy, load: Load, before: Mapping[str, Before], most: int) -> RegionalBook:
        """Return a book that counts on what is leased."""
        return RegionalBook(self.leased, policy, load, before, most)

    def restarted(self) -> None:
        """Let the leases of limits go: they end by a clock, and this may be another machine with another one."""
        for lots in self.leased.lots.values():
            for lot in lots.values():
                if lot.brief:
                    lot.ends_ms = 0

    def decides(self, now: int) -> bool:
        """Tell whether the policy is known to be the present one: else nobody is let in here."""
        return now < self._decides_until

    def recall(self, edition: int) -> None:
        """Hear that the policy is of this edition now, or a later one."""
        self._least_edition = max(self._least_edition, edition)
        if edition > self.edition:
            self._decides_until = 0

    def lend_policy(self, edition: int, sent_ms: int, *, lends: bool) -> None:
        """Hear of the home that the policy is of this edition, by an answer to what was sent at `sent_ms`."""
        if edition == self.edition and edition >= self._least_edition:
            self._decides_until = sent_ms + POLICY_LEASE_MS if lends else 0

    def adopt(self, edition: int, changed: Set[str], find: Counters) -> None:
        """Take over another edition: what was leased of the rules that have changed is used no more, and goes back."""
        self._decides_until = 0
        for place, lots in [entry for entry in self.leased.lots.items() if entry[0][0] in changed and entry[1]]:
            counter = find(*place)
            for epoch, lot in lots.items():
                if isinstance(counter, Leasing):
                    self._lower(counter, place, epoch, lot)
        self.edition = edition
        self._sql.run("UPDATE exchange SET edition = ?", edition)
        self._keep()

    def used(self, now: int) -> None:
        """Note that somebody asks to be let in."""
        self._used_ms = now

    def due(self, now: int) -> bool:
        """Tell whether it is time for an exchange, while calls come."""
        if now - self._asked_ms < ASK_AGAIN_MS:
            return False
        return self._sent is not None or self.leased.hungry or not self.decides(now + POLICY_LEASE_MS // 2)

    def idle(self, now: int) -> bool:
        """Tell whether no call has come for so long that what is left goes back."""
        return now - self._used_ms >= IDLE_MS

    @property
    def waits(self) -> bool:
        """Tell whether an exchange is not answered."""
        return self._sent is not None

    def unsettled(self) -> bool:
        """Tell whether anything is leased, or an exchange is not answered: then there must be another."""
        return self._sent is not None or any(self.leased.lots.values())

    def message(self, now: int, find: Counters, back: Container[Place]) -> str:
        """Begin an exchange, or repeat the one that is not answered. `back` is what goes back, if it is not used."""
        self._asked_ms = now
        self.leased.hungry = False
        if self._sent is not None:
            return self._sent.message
        reports: list[Report] = []
        for place, lots in [entry for entry in self.leased.lots.items() if entry[1]]:
            counter = find(*place)
            for epoch in list(lots):
                if not isinstance(counter, Leasing):  # there is no such rule any more
                    self._drop(place, epoch)
                    self.leased.forget(place)
                elif (report := self._report(now, counter, place, epoch, back=place in back)) is not None:
                    reports.append(report)
        wants, self.leased.wants = self.leased.wants, {}
        room = MOST_PLACES - sum(map(bool, self.leased.lots.values()))
        known = [place for place in wants if self.leased.lots.get(place)]
        places = known + [place for place in wants if place not in known][: max(0, room)]
        wishes = [wish for one in places if one not in back and (wish := _wish(now, one, wants[one], find))]
        self._number += 1
        self._sent = _Sent(to_json([self._number, reports, wishes]).decode(), now, reports)
        self._sql.run("UPDATE exchange SET number = ?, message = ?", self._number, self._sent.message)
        self._keep()
        return self._sent.message

    def hear(self, number: int, answer: str, find: Counters) -> None:
        """Take the answer to an exchange: what was told is told, and what is lent may be used. Once."""
        sent = self._sent
        if sent is None or number != self._number:
            return
        self._sent = None
        for rule, subject, epoch, kept, used, over in sent.reports:
            counter, lot = find(rule, subject), self.leased.of((rule, subject)).get(epoch)
            if isinstance(counter, Leasing) and lot is not None:
                lot.told = (kept, used)
                if over:
                    self._hand_over(counter, (rule, subject), epoch, lot)
        for rule, subject, epoch, ends_ms, amount, life_ms, *_ in from_json(answer):
            lot = self.leased.of((rule, subject)).setdefault(epoch, Lot(0, 0, brief=bool(life_ms)))
            lot.granted += amount
            if not life_ms:
                lot.ends_ms = ends_ms
            elif sent.first_ms is not None:  # it was lent after that
                lot.ends_ms = sent.first_ms + life_ms
            self._changed.add(((rule, subject), epoch))
        self._sql.run("UPDATE exchange SET message = ''")
        self._keep()

    def _report(self, now: int, counter: Leasing, place: Place, epoch: int, *, back: bool) -> Report | None:
        lots = self.leased.lots[place]
        lot = lots[epoch]
        over = back or now >= lot.ends_ms or (lot.left <= 0 if lot.brief else epoch < max(lots))
        if over:
            self._lower(counter, place, epoch, lot)
        elif isinstance(counter, Slice) and not counter.budget.hard:
            lot.granted = lot.used + lot.reserved  # it refuses nobody
        over = over and not lot.reserved
        if lot.brief:
            return (*place, epoch, lot.used, lot.used, True) if over else None
        if not over and lot.told == (lot.granted, lot.used):
            return None
        return (*place, epoch, lot.granted, lot.used, over)

    def _lower(self, counter: Leasing, place: Place, epoch: int, lot: Lot) -> None:
        """Keep only what is used or under way."""
        committed = lot.used + lot.reserved
        soft = isinstance(counter, Slice) and not counter.budget.hard
        lot.granted = committed if soft else min(lot.granted, committed)
        if lot.brief:
            lot.ends_ms = 0
        self._changed.add((place, epoch))

    def _hand_over(self, counter: Leasing, place: Place, epoch: int, lot: Lot) -> None:
        """Forget what the home counts as its own now; what has come since is told the next time."""
        kept, used = lot.told or (0, 0)
        lot.granted -= kept
        lot.told = (0, 0)
        counter.rebase(epoch, used)
        self._changed.add((place, epoch))
        if not (lot.granted or lot.used or lot.reserved):
            self._drop(place, epoch)

    def _drop(self, place: Place, epoch: int) -> None:
        lots = self.leased.lots[place]
        del lots[epoch]
        self._changed.add((place, epoch))

    def _keep(self) -> None:
        kept, gone = [], []
        for place, epoch in self._changed:
            lot = self.leased.lots.get(place, {}).get(epoch)
            if lot is None:
                gone.append((*place, epoch))
            else:
                kept.append((*place, epoch, lot.ends_ms, lot.granted, int(lot.brief)))
        write(self._sql, _KEEP, kept)
        write(self._sql, _DROP, gone)
        self._changed.clear()


def _wish(now: int, place: Place, want: int, find: Counters) -> tuple[str, str, int] | None:
    counter = find(*place)
    if isinstance(counter, Slice):
        if counter.budget.hard:
            left = counter.left(now)
        else:
            left, want = 0, 0 if counter.opened(now) else 1
    elif isinstance(counter, Share):
        left = counter.left(now + RATE_LEASE_MS // 4)  # what ends before the next exchange is as good as gone
    else:
        return None
    return (*place, AHEAD * want - left) if want and left * 2 <= AHEAD * want else None
