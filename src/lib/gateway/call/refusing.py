"""What a refusal by an organisation's own rule tells: which rule, how much the call needs, and how much is left.

In words and in `details` for the caller; for the log line the rule, and `bound` and `remaining` in what the rule
counts: nano-dollars, requests or tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from lib.kernel.errors import HeadgateError, PaymentRequired, TooManyRequests
from lib.kernel.money import usd

Refused = TypeVar("Refused", bound=HeadgateError)

UNITS = {
    "requests_limit_reached": "requests",
    "tokens_limit_reached": "tokens",
    "concurrent_limit_reached": "requests at once",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the gate tells of a rule that has refused a call: see `lib.admission.decision.Refusal`."""

    name: str | None = None
    needs: int | None = None
    left: int | None = None
    most: int | None = None
    resets_ms: int | None = None


def limit_reached(code: str, rule: str, told: Told, headers: Mapping[str, str]) -> TooManyRequests:
    """Return the error of a limit."""
    message = f"Too many {UNITS[code]}. The limit {_named(rule, told)} is reached{_standing(code, told)}"
    again = headers.get("retry-after")
    message += f", try again in {again} s." if again else "."
    detail = {"limit_id": rule, "name": told.name, "needs": told.needs, "remaining": told.left, "limit": told.most}
    return _logged(TooManyRequests(message, code=code, headers=headers, details=[detail]), rule, told)


def budget_spent(code: str, rule: str, told: Told, headers: Mapping[str, str]) -> PaymentRequired:
    """Return the error of a budget that does not cover a call, or of one whose cost nobody knows."""
    resets = None if told.resets_ms is None else _time(told.resets_ms)
    left = "" if told.left is None else f"${usd(told.left)} left" + (f", resets {resets}" if resets else "")
    named = _named(rule, told)
    if code == "cost_unknown":
        message = (
            f"Nobody can tell what this call may cost at most, so the budget {named} refuses it{left and f': {left}'}."
        )
    else:
        needs = "" if told.needs is None else f": it needs up to ${usd(told.needs)}, {left}"
        message = f"The budget {named} does not cover this call{needs}."
    detail: dict[str, object] = {"budget_id": rule, "name": told.name}
    for what, nano in (("needs", told.needs), ("remaining", told.left), ("limit", told.most)):
        detail[f"{what}_nano_usd"], detail[f"{what}_usd"] = nano, None if nano is None else usd(nano)
    detail["resets_at"] = resets
    return _logged(PaymentRequired(message, code=code, headers=headers, details=[detail]), rule, told)


def _standing(code: str, told: Told) -> str:
    if code != "tokens_limit_reached" or told.needs is None:
        return "" if told.most is None else f": {told.most} at most"
    return f": this call needs about {told.needs}, {told.left} of {told.most} left"


def _named(rule: str, told: Told) -> str:
    return f'"{told.name}" ({rule})' if told.name else rule


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _logged(error: Refused, rule: str, told: Told) -> Refused:
    error.facts.update(rule_id=rule, bound=told.needs, remaining=told.left)
    return error
