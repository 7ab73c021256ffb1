"""One call's record: opened before the provider is called, settled once when it ends, whatever the end is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Protocol

from lib.admission.decision import Ask, proved_for, reserved_for
from lib.gateway.call.admitting import Admitted
from lib.gateway.call.asking import ask_of, callers_path
from lib.gateway.call.plan import Attempt, Call, Outcome, Plan
from lib.gateway.call.telling import Charge
from lib.gateway.callers.caller import Caller
from lib.gateway.catalogue import Candidate
from lib.kernel.altered import altered
from lib.kernel.clock import Clock
from lib.kernel.errors import HeadgateError
from lib.ledger.usage import FLEX, NO_TOKENS, Cause, Usage
from lib.ledger.usage_record import UsageRecord
from lib.store.dialect import time_text

# What the deadline leaves for reading the rest of a stream and settling, after the provider's time is over.
GRACE_SECONDS = 60
# So many keys' calls to a model are known to be alike in most of their record.
MOST_ALIKE = 1_000


class Gates(Protocol):
    """The organisations' gates. All methods raise `Unavailable` when a gate can't be reached: nothing passes then."""

    async def open(self, account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        """Ask for a request to be let in, and open it. `ask` is called when the organisation has rules.

        Raises StaleAccount when the caller was judged by an old policy; TooManyRequests, PaymentRequired.
        """
        ...

    async def confirm(self, account: Caller) -> None:
        """Raise StaleAccount when the caller was judged by an old policy."""
        ...

    def leave(self, record: UsageRecord) -> None:
        """Have the organisation's next call settle a request, before it is let in itself. Settling twice is harmless.

        Where no call comes before the request's deadline, and nobody awaits `delivered`, the gate gives it up.
        """
        ...

    async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
        """Return when the gate has what was left of a request: by a call that comes soon, or sent alone."""
        ...


class Unsettled(Exception):
    """Settling broke. `facts` are what the log line tells of the call all the same."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        super().__init__()
        self.facts = facts


class Settlement:
    """The record of one call, whatever attempts it makes. `open` first; at its end `close`, and then `closed`.

    `outcome` is that with which it was closed. A call that was opened and is dropped without one is charged at its
    deadline, by its bound: it must not happen, and the unit tests fail where it does (`tests/unit/conftest.py`).
    """

    outcome: Outcome | None = None
    _asked: Ask | None = None
    _granted: int | None = None  # output tokens of each choice, where the client did not say
    _left: int | None = None  # of the tightest hard budget, once the call was let in
    _reserved = 0
    _tight = False  # whether an alike call would be refused until this one is settled

    def __init__(self, gates: Gates, clock: Clock, account: Caller, call: Call, plan: Plan) -> None:
        now, principal, first = clock.now(), account.principal, plan.candidates[0]
        price = first.facts.price
        self._call = call
        self._plan = plan
        self._gates = gates
        self._clock = clock
        self._account = account
        self._started = now
        self.headers: dict[str, str] = {}  # what the client is told: where it stands, and what it is charged
        guess = self._tiered(Usage(input=call.input_estimate))
        lost = _lost(
            *(principal.org_id, principal.key_id, principal.team_id, principal.user_id),
            *(call.endpoint, plan.model, call.streamed, first.provider.name, first.upstream_model),
            price.version if price else None,
        )
        self._record = altered(
            lost,
            id=call.id,
            input_tokens=guess.input,
            cost_nano_usd=price.cost(guess) + (price.per_request or 0) if price else None,
            started_at=time_text(now),
            # A browser's key is for one end user, whatever its page says.
            end_user=principal.end_user or call.end_user or None,
        )

    async def open(self, timeout_seconds: int, floor: int) -> Admitted:
        """Have the call let in, and write the record that is charged if this isolate dies: marked lost, and estimated.

        `floor` is the least output worth having, in tokens.
        """
        deadline = self._started + timedelta(seconds=timeout_seconds + GRACE_SECONDS)
        try:
            admitted = await self._gates.open(self._account, self._record, deadline, lambda: self._ask(floor))
        except HeadgateError as refused:
            self._note(refused)
            raise
        self.headers.update(admitted.headers)
        self._granted, self._left = admitted.output_tokens, admitted.budget_left
        if self._asked and self._left is not None:
            self._reserved = reserved_for(self._asked, admitted.output_tokens)
        self._tight = self._is_tight(admitted)
        return admitted

    def _is_tight(self, admitted: Admitted) -> bool:
        lefts = admitted.rates_left
        tokens = self._asked.estimate if self._asked else 0
        if lefts.get("concurrent", 1) < 1 or lefts.get("tokens", tokens) < tokens:
            return True
        return self._left is not None and self._left < self._reserved

    def _note(self, refused: HeadgateError) -> None:
        """Have the log line tell what was refused, and how long that took."""
        record = self._record
        refused.facts.update(
            model=record.model, provider=record.provider, streamed=record.streamed, gate_ms=self._elapsed_ms()
        )

    def _ask(self, floor: int) -> Ask:
        call, [candidate] = self._call, self._plan.candidates
        path = callers_path(self._account.principal, self._plan.model, call.end_user)
        self._asked = ask_of(path, candidate, call.bound(), call.input_estimate, floor, call.tier)
        return self._asked

    def attempt(self, candidate: Candidate) -> Attempt:
        """Begin to try a candidate of the plan."""
        return Attempt(self._call, candidate, self._elapsed_ms)

    def close(self, outcome: Outcome) -> Charge:
        """Settle with what the attempt used that counts; return what is charged. A whole answer has it in its headers.

        The gate hears of it by the organisation's next call, or while `closed` waits. May be called again, until
        `closed` is awaited: the last one counts.
        """
        self.outcome = outcome
        self._record = record = self._ended(outcome)
        self._gates.leave(record)
        cost = self._charged(record)
        if cost is None and outcome.usage == Usage():
            cost = 0
        left = None if self._left is None else max(0, self._left + self._reserved - (cost or 0))
        charge = Charge(cost, left, outcome.estimated)
        self.headers.update(charge.headers())
        return charge

    async def closed(self) -> Mapping[str, object]:
        """Return the facts for the log line, once the gate has heard of the end. It is in a hurry where room is scarce:
        the client's next call may reach the gate by another isolate.
        """
        try:
            await self._gates.delivered(self._record, at_once=self._tight)
        except Exception as failure:
            raise Unsettled(self.facts()) from failure
        return self.facts()

    def _ended(self, outcome: Outcome) -> UsageRecord:
        attempt, cause, usage, status, estimated = outcome
        provider, upstream_model, facts = attempt.candidate
        record = self._record.ended(
            cause,
            self._tiered(usage),
            facts.price,
            provider=provider.name,
            upstream_model=upstream_model,
            status=status,
            estimated=estimated,
            first_byte_ms=attempt.first_byte_ms,
            duration_ms=self._elapsed_ms(),
        )
        if estimated and self._asked:  # a guess, but where a bound is proved no more was used
            most = proved_for(self._asked, self._granted)
            if most is not None and (record.cost_nano_usd or 0) > most:
                return altered(record, cost_nano_usd=most)
        return record

    def facts(self) -> Mapping[str, object]:
        """Return what the log line tells of the call."""
        record = self._record
        return {**dict(zip(_LOGGED, _logged(record), strict=True)), "cost_nano_usd": self._charged(record)}

    def _charged(self, record: UsageRecord) -> int | None:
        """Return what the gate charges for a record: where a hard budget let the call in, an estimate at its bound."""
        return self._reserved if record.estimated and self._left is not None else record.cost_nano_usd

    def _tiered(self, usage: Usage) -> Usage:
        """Where the provider does not say which tier it has billed: the one that was asked for, but no discount."""
        tier = self._call.tier
        return usage if usage.tier or tier in (None, FLEX) else usage._replace(tier=tier)

    def _elapsed_ms(self) -> int:
        return max(0, round((self._clock.now() - self._started).total_seconds() * 1000))


_LOGGED = (
    *("model", "provider", "streamed", "cause", "input_tokens", "output_tokens"),
    *("cost_nano_usd", "estimated", "first_byte_ms"),
)
_logged = attrgetter(*_LOGGED)


@lru_cache(MOST_ALIKE)
def _lost(
    org_id: str,
    key_id: str,
    team_id: str | None,
    user_id: str | None,
    endpoint: str,
    model: str,
    streamed: bool,
    provider: str,
    upstream_model: str,
    price_version: str | None,
) -> UsageRecord:
    """Return the record of a call that nobody has settled yet, as far as it is the same for all calls of a key to a
    model.
    """
    return UsageRecord(
        id="",
        org_id=org_id,
        key_id=key_id,
        endpoint=endpoint,
        model=model,
        provider=provider,
        upstream_model=upstream_model,
        streamed=streamed,
        cause=Cause.LOST.value,
        status=None,
        estimated=True,
        cost_nano_usd=None,
        price_version=price_version,
        first_byte_ms=None,
        duration_ms=0,
        **NO_TOKENS,
        started_at="",
        team_id=team_id,
        user_id=user_id,
    )
