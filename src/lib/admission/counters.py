"""How far a rule is used up, as its gate tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Counter:
    """Of one limit or budget, now. `used` is settled, `reserved` is held for requests that are under way.

    `resets_at_ms` is when a calendar window ends, in milliseconds since 1970; None where there is no such time.
    """

    used: int
    reserved: int
    resets_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a budget has counted for one subject, in nano-dollars."""

    subject: str
    used: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What a budget has counted for some subjects, in their order, at `now_ms`.

    `begin_ms` is that of the calendar's window; 0 for the others. `mixed`: the windows of some begin later.
    `more`: there may be others behind these.
    """

    now_ms: int
    begin_ms: int
    spent: Sequence[Spent]
    mixed: bool
    more: bool = False

    @classmethod
    def of(cls, now_ms: int, told: Any) -> Counted:
        """Read what `lib.admission.gate.Gate.accounts` has told, also by way of JSON."""
        begin, spent, mixed, more = told
        return cls(now_ms, begin, [Spent(*one[:3]) for one in spent], mixed, more)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A call that has ended, as its gate remembers it for a day: since when it counted, and what it cost.

    `places` are the budgets on which it counts, each with its subject.
    """

    id: str
    since_ms: int
    cost: int
    places: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, told: Any) -> Remembered:
        """Read what `lib.admission.gate.Gate.remembered` has told, also by way of JSON."""
        name, since, cost, places = told
        return cls(name, since, cost, [(rule, subject) for rule, subject, *_ in places])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call counts: on this budget, for this subject, in the window that begins then."""

    rule: str
    subject: str
    begin_ms: int
