"""A region's gate: the same gate as the home, counting on what it has leased. See `regional.py`."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from lib.admission import protocol
from lib.admission.atomic import whole
from lib.admission.decision import Ask, Refusal, Reservation
from lib.admission.gate import Gate
from lib.admission.gate_sql import Sql
from lib.admission.protocol import ASK_HOME, Answer
from lib.admission.regional import Region
from lib.admission.rules import Budget, Limit, Policy
from lib.admission.shelf import MOST_COUNTERS, Place

_REFUSED = Answer("ask_home", "", 0, None, ({}, None))


class Everything:
    """All there is, as a container."""

    def __contains__(self, _: object) -> bool:
        return True


class RegionalGate(Gate):
    """A gate that lets in what its leases cover. Its refusals mean that the home is to be asked."""

    def __init__(
        self, sql: Sql, broke: Callable[[Exception], None] = lambda _: None, most: int = MOST_COUNTERS
    ) -> None:
        self.region = Region(sql)
        super().__init__(sql, broke, most, self.region.book)
        self.region.restarted()

    def handle(self, version: int, rows: str, now_ms: int) -> int | str:
        """Let requests in, and settle requests, as the home does. See `Gate.handle`."""
        if version <= 0:  # nothing that was judged by the policy as the region knows it
            return super().handle(0, rows, now_ms)
        self.region.used(now_ms)
        decides = self.region.decides(now_ms)
        told = super().handle(version if decides else 0, rows, now_ms)
        if decides and version == self._version:
            return told
        if again := self._let_in(rows):
            return protocol.answered(version, again)
        return told if decides else ASK_HOME

    def _let_in(self, rows: str) -> dict[str, Sequence[Any]]:
        """Return the answers to all openings, where one of them was let in here before and its answer was lost.

        The home would let that one in a second time, and it would be counted there and here.
        """
        openings = [row for row in protocol.rows_of(rows) if row.deadline_ms is not None]
        past, answers = self._past_of(openings), dict[str, Sequence[Any]]()
        for name, _, _, ask in openings:
            given = self._held.get(name) or (past[name].held if name in past else None)
            if given is not None and ask:
                answers[name] = self._answer(given, Ask.from_json(ask))
        return dict.fromkeys((row.id for row in openings), _REFUSED) | answers if answers else {}

    def _answer(self, decided: Reservation | Refusal, ask: Ask) -> Sequence[Any]:
        """Return the home's answer to who is let in; of a refusal nobody is told but that the home is to be asked."""
        return _REFUSED if isinstance(decided, Refusal) else super()._answer(decided, ask)

    @whole
    def message(self, now_ms: int, back: Container[Place] = ()) -> str:
        """Begin or repeat an exchange with the home. What is in `back` goes back as far as it is not used."""
        self._now = max(self._now, now_ms)
        self.fold()
        message = self.region.message(self._now, self._book.shelf.counter, back)
        self._keep()
        return message

    @whole
    def hear(self, answer: str, sent_ms: int, now_ms: int) -> None:
        """Take the home's answer (`Gate.exchange`) to what was sent at `sent_ms`."""
        self._now = max(self._now, now_ms)
        version, edition, lends, policy, number, told = protocol.exchanged_of(answer)
        self.fold()
        self.region.hear(number, told, self._book.shelf.counter)
        self._keep()
        if edition > self.region.edition:
            before = _by_id(self._book.policy)
            if policy is not None:
                self.rules(policy, now_ms)
            after = _by_id(self._book.policy)
            changed = {name for name, rule in before.items() if after.get(name) != rule}
            self.region.adopt(edition, changed, self._book.shelf.counter)
            self._version = version
            self._sql.run("UPDATE meta SET version = ?", version)
        self.region.lend_policy(edition, sent_ms, lends=lends)


def _by_id(policy: Policy) -> dict[str, Limit | Budget]:
    rules: tuple[Limit | Budget, ...] = (*policy.limits, *policy.budgets)
    return {rule.id: rule for rule in rules}
