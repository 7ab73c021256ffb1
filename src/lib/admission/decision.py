"""What is asked when a call wants to go on, what is answered, and the arithmetic of its bounds. `book.py` decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from lib.admission.budget import BudgetCounter
from lib.admission.rules import Limit, Path, Unit

# What is reserved for one call at most, where only soft budgets let it in: a client may ask for any number of tokens.
MOST_BOUND = 2**52


class Ask(NamedTuple):
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

    def to_json(self) -> str:
        """Return it as a JSON object."""
        return to_json(self._asdict()).decode()

    @classmethod
    def from_json(cls, parsed: Mapping[str, Any]) -> Ask:
        """Read it, also where another release has written it: see `lib.admission.protocol`."""
        return cls(*_PARTS({**cls._field_defaults, **parsed}))


_PARTS = itemgetter(*Ask._fields)


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

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where it counts: rule and subject."""
        return [*self.limits, *((rule, subject) for rule, subject, _ in self.budgets)]

    def to_json(self) -> str:
        parts = [self.since, self.bound, self.estimate, self.limits, self.budgets, self.granted, int(self.hard)]
        return to_json(parts).decode()

    @classmethod
    def from_json(cls, text: str) -> Reservation:
        since, bound, estimate, limits, budgets, granted, *hard = from_json(text)
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


def afford(now: int, ask: Ask, hard: list[BudgetCounter], lefts: list[int]) -> int | Refusal | None:
    """Return the output tokens to grant for each choice where the client did not say; None: as many as it likes.

    `lefts` is what is left of each hard budget.
    """
    left = min(lefts)
    tightest = hard[lefts.index(left)]
    least = bound_of(ask, ask.output_tokens if ask.output_tokens is not None else 0)
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


def _spent(now: int, code: str, account: BudgetCounter, needs: int | None, left: int) -> Refusal:
    budget = account.budget
    return Refusal(code, budget.id, -1, budget.name, needs, max(0, left), budget.most_at(now), account.ends(now))


def amount_of(limit: Limit, estimate: int) -> int:
    """Return what a call counts on a limit when it is let in."""
    return estimate if limit.unit is Unit.TOKENS else 1


def reserved_for(ask: Ask, granted: int | None) -> int:
    """Return what is reserved for a call that was let in, `granted` output tokens where it did not say itself."""
    output = ask.output_tokens if ask.output_tokens is not None else granted
    return min(bound_of(ask, output or 0) or 0, MOST_BOUND)


def proved_for(ask: Ask, granted: int | None) -> int | None:
    """Return the most that a call can cost that was let in; None where nobody can tell: nothing bounds its output."""
    output = ask.output_tokens if ask.output_tokens is not None else granted
    return None if output is None and ask.output_price else bound_of(ask, output or 0)


def bound_of(ask: Ask, output_tokens: int) -> int | None:
    """Return the most that the call can cost with so many output tokens for each choice; None where nobody can tell."""
    if ask.input_price is None or ask.output_price is None or (ask.input_tokens is None and ask.input_price):
        return None
    tokens = (ask.input_tokens or 0) * ask.input_price + output_tokens * ask.choices * ask.output_price
    return ask.call_price + tokens
