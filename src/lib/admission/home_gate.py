"""An organisation's gate, with what it lends to the gates of its regions: see `leases.py` and docs/scaling.md."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from lib.admission import protocol
from lib.admission.atomic import whole
from lib.admission.book import Book
from lib.admission.budget import BudgetCounter
from lib.admission.decision import Ask, Refusal, Reservation
from lib.admission.gate import Gate
from lib.admission.gate_sql import Sql
from lib.admission.leases import Leases
from lib.admission.protocol import Answer, Exchanged
from lib.admission.rate import Before
from lib.admission.rules import Policy
from lib.admission.shelf import MOST_COUNTERS, Load, Place


class HomeBook(Book):
    """The counters of a home: what is lent of them is under way, as calls are."""

    def __init__(self, leases: Leases, policy: Policy, load: Load, before: Mapping[str, Before], most: int) -> None:
        super().__init__(policy, load, before, most)
        self._leases = leases

    def restore(self, under_way: Iterable[Reservation], rules: Container[str]) -> None:
        """Count again what is under way, and what is lent: see `Book.restore`."""
        super().restore(under_way, rules)
        self._leases.restore(self.shelf, rules)


class HomeGate(Gate):
    """A gate that regions may lease from. While none ever has, it is as any other."""

    def __init__(
        self, sql: Sql, broke: Callable[[Exception], None] = lambda _: None, most: int = MOST_COUNTERS
    ) -> None:
        self.leases = Leases(sql)
        self.recallable: set[Place] = set()  # what refused somebody while regions hold some of it
        super().__init__(sql, broke, most, partial(HomeBook, self.leases))

    @property
    def leased(self) -> bool:
        """Tell whether regions may decide."""
        return self._book.policy.leased

    @whole
    def bump(self) -> int:
        """Make all accounts old: see `Gate.bump`. Regions are told from now on."""
        self.leases.changed()
        return super().bump()

    @whole
    def rules(self, policy: str, now_ms: int) -> int:
        """Count by these rules from now on: see `Gate.rules`. Regions are told from now on."""
        self.leases.changed()
        return super().rules(policy, now_ms)

    @whole
    def exchange(self, region: str, message: str, edition: int, now_ms: int) -> str:
        """Take an exchange of a region, which knows the policy of this edition: see `Leases.hear`.

        The answer is a `protocol.Exchanged`.
        """
        self._now = max(self._now, now_ms)
        self.fold()
        shelf = self._book.shelf
        number, answer = self.leases.hear(region, message, shelf, self._now, lend=self.leased)
        for rule, subject in self.leases.reported:
            account = shelf.account(rule, subject)
            part = account.warning(self._now) if isinstance(account, BudgetCounter) else None
            if part is not None:
                self.warnings.append((rule, subject, part))
        self.leases.reported.clear()
        self._keep()
        if self.leased:
            self.leases.lend_policy(region, self._now)
        text = self.disk.policy_text() if edition != self.leases.edition else None
        told = Exchanged(self._version, self.leases.edition, self.leased, text, number, answer)
        return protocol.exchanged_text(told)

    def _answer(self, decided: Reservation | Refusal, ask: Ask) -> Sequence[Any]:
        answer = super()._answer(decided, ask)
        if isinstance(answer, Answer) and isinstance(decided, Refusal) and self.leases.regions:
            shelf = self._book.shelf
            rule = shelf.limits.get(decided.rule) or shelf.budgets.get(decided.rule)
            subjects = rule.scope.subjects(ask.path) if rule else []
            self.recallable |= {(decided.rule, who) for who in subjects if self.leases.held(decided.rule, who)}
            return answer._replace(place=None)  # what refuses may come back at any moment
        return answer
