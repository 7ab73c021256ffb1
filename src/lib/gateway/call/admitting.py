"""What the gate answers to a call that asks to be let in: a grant, or the error that its client gets. And the headers.

`RateLimit` and `RateLimit-Policy` are structured fields of draft-ietf-httpapi-ratelimit-headers-10. `x-ratelimit-…` are
OpenAI's (https://platform.openai.com/docs/guides/rate-limits), which its SDKs know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import NamedTuple

from lib.admission.protocol import Answer
from lib.gateway.call.refusing import UNITS, Told, budget_spent, limit_reached
from lib.gateway.call.telling import COST, REMAINING
from lib.kernel.errors import BadRequest, TooManyRequests

Place = tuple[str, str, str | None]  # a rule's reach, who stands there, and the model where it is only about that

# The units of which `x-ratelimit-…` speak.
_COMMON_UNITS = ("requests", "tokens")
_TOLD = len(fields(Told))
_NO_ANSWER = Answer("", "", 0, None, ({}, None))


class Admitted(NamedTuple):
    """A call that may go on. `output_tokens` is what it may produce for each choice, where its client did not say.

    `budget_left` is what is left of its tightest hard budget, after what was reserved for it; None where it has none.
    `rates_left` is what is left of its tightest limit of each unit.
    """

    output_tokens: int | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    budget_left: int | None = None
    rates_left: Mapping[str, int] = MappingProxyType({})


class RequestsRefused(TooManyRequests):
    """A limit of requests refuses every call at `place` for `wait_ms`, whatever its size.

    `rate` is the limit as `lib.admission.protocol.Answer` has it.
    """

    def __init__(
        self, refusal: TooManyRequests, rule: str, told: Told, place: Place, wait_ms: int, rate: Sequence[int]
    ) -> None:
        super().__init__(refusal.message, code=refusal.code, headers=refusal.headers, details=refusal.details)
        self.facts = refusal.facts
        self.rule = rule
        self.told = told
        self.place = place
        self.wait_ms = wait_ms
        self.rate = rate


def admitted(answer: Answer | None) -> Admitted:
    """Read the gate's answer; None where no rule was asked.

    Raises TooManyRequests or PaymentRequired, each with the headers that tell the caller where it stands.
    """
    code, rule, wait_ms, granted, (rates, budget_left), place, _, about = answer or _NO_ANSWER
    headers = _headers(rates, budget_left)
    if not code:
        return Admitted(granted, headers, budget_left, {unit: rate[1] for unit, rate in rates.items()})
    headers[COST] = "0"
    told = Told(*about[:_TOLD])
    if code in UNITS:
        # A single call that is larger than the limit will not pass later either: no time is told.
        again = (
            {"retry-after": str(max(1, -(-wait_ms // 1000)))} if wait_ms > 0 or code.startswith("concurrent") else {}
        )
        refusal = limit_reached(code, rule, told, {**headers, **again})
        if place and wait_ms > 0:
            raise RequestsRefused(refusal, rule, told, (place[0], place[1], place[2]), wait_ms, rates["requests"])
        raise refusal
    if code == "invalid_end_user":
        message = f"`safety_identifier` and `user` are texts: the rule {rule} counts end users."
        raise BadRequest(message, code=code, headers=headers, param="user", details=[{"rule_id": rule}])
    raise budget_spent(code, rule, told, headers)


def _headers(rates: Mapping[str, Sequence[int]], budget_left: int | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    policies, standings = [], []
    for unit, (most, left, window_ms, resets_ms) in rates.items():
        seconds = -(-resets_ms // 1000)
        window = f";w={-(-window_ms // 1000)}" if window_ms else ""
        policies.append(f'"{unit}";q={most}{window}')
        standings.append(f'"{unit}";r={left};t={seconds}')
        if unit in _COMMON_UNITS:
            headers[f"x-ratelimit-limit-{unit}"] = str(most)
            headers[f"x-ratelimit-remaining-{unit}"] = str(left)
            headers[f"x-ratelimit-reset-{unit}"] = f"{seconds}s"
    if policies:
        headers["ratelimit-policy"], headers["ratelimit"] = ", ".join(policies), ", ".join(standings)
    if budget_left is not None:
        headers[REMAINING] = str(budget_left)
    return headers
