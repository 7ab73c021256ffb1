"""One call's record: opened before the provider is called, settled once when it ends, whatever the end is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol

from lib.admission.decision import Ask, proved_for, reserved_for
from lib.gateway.bounds import Bound
from lib.gateway.call.admitting import Admitted, RequestsRefused
from lib.gateway.call.asking import ask_of, path_of
from lib.gateway.call.denials import Denials
from lib.gateway.call.telling import Charge
from lib.gateway.callers.caller import Caller
from lib.gateway.catalogue import Target
from lib.kernel.altered import altered
from lib.kernel.clock import Clock
from lib.kernel.errors import HeadgateError
from lib.ledger.usage import FLEX, NO_TOKENS, Cause, Usage
from lib.ledger.usage_record import UsageRecord
from lib.store.dialect import time_text

# What a model that thinks unseen is taken to make: about what the fast ones do.
UNSEEN_TOKENS_PER_SECOND = 100
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


class Call(NamedTuple):
    """What the settlement must know of a request to a model. `input_estimate` is in tokens.

    `id` is the request's own: at most one record comes of one request. `bound` works out what it may take at most;
    `end_user` is whom the client makes it for, "" where that is no text; `tier` is the service tier that it asks for;
    `reasons` tells of a provider's model whether it thinks unseen.
    """

    id: str
    endpoint: str
    model: str
    streamed: bool
    input_estimate: int
    bound: Callable[[], Bound]
    end_user: str | None = None
    tier: str | None = None
    reasons: Callable[[str], bool] = lambda _model: False


class Unsettled(Exception):
    """Settling broke. `facts` are what the log line tells of the call all the same."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        super().__init__()
        self.facts = facts


class Settlement:
    """The record of one call. `open` first; at its end `close`, and then `closed`."""

    _first_byte_ms: int | None = None
    _asked: Ask | None = None
    _granted: int | None = None  # output tokens of each choice, where the client did not say
    _left: int | None = None  # of the tightest hard budget, once the call was let in
    _reserved = 0
    _tight = False  # whether an alike call would be refused until this one is settled

    def __init__(
        self, gates: Gates, clock: Clock, account: Caller, call: Call, target: Target, denials: Denials
    ) -> None:
        now, principal, price = clock.now(), account.principal, target.facts.price
        self._call = call
        self._target = target
        self._gates = gates
        self._denials = denials
        self._clock = clock
        self._account = account
        self._price = price
        self._started = now
        self.headers: dict[str, str] = {}  # what the client is told: where it stands, and what it is charged
        guess = self._tiered(Usage(input=call.input_estimate))
        lost = _lost(
            *(principal.org_id, principal.key_id, principal.team_id, principal.user_id),
            *(call.endpoint, call.model, call.streamed, target.provider.name, target.upstream_model),
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
        asked_ms = int(self._started.timestamp() * 1000)
        try:
            self._denials.check(self._account, self._path, asked_ms)
            admitted = await self._gates.open(self._account, self._record, deadline, lambda: self._ask(floor))
        except RequestsRefused as refused:
            self._denials.remember(self._account, refused, asked_ms)
            self._note(refused)
            raise
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

    def _path(self) -> dict[str, str]:
        principal = self._account.principal
        return path_of(
            principal.org_id,
            principal.line_id or principal.key_id,
            self._call.model,
            principal.end_user or self._call.end_user,
            team_id=principal.team_id,
            user_id=principal.user_id,
            makers=principal.makers,
            minted=principal.kind == "browser_key",
            member_of=principal.member_of,
        )

    def _ask(self, floor: int) -> Ask:
        call, target = self._call, self._target
        bound = call.bound()
        self._asked = ask_of(self._path(), target, bound, call.input_estimate, floor, call.tier)
        return self._asked

    def first_byte(self) -> None:
        """Note that the provider has begun to answer."""
        self._first_byte_ms = self._elapsed_ms()

    def close(self, cause: Cause, usage: Usage, *, status: int | None, estimated: bool) -> Charge:
        """Settle with what was used; return what is charged. A whole answer has it in its headers.

        The gate hears of it by the organisation's next call, or while `closed` waits. May be called again, until
        `closed` is awaited: the last one counts.
        """
        self._record = self._ended(cause, usage, status, estimated=estimated)
        self._gates.leave(self._record)
        cost = self._charged(self._record)
        if cost is None and usage == Usage():
            cost = 0
        left = None if self._left is None else max(0, self._left + self._reserved - (cost or 0))
        charge = Charge(cost, left, estimated)
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

    def without_answer(self, *, charged: bool) -> Usage:
        """Return what a call has used that the provider never answered: nothing, where it can't have read it."""
        return self.estimate(0) if charged else Usage()

    def estimate(self, output: int) -> Usage:
        """Return what a call has used, as far as can be told without the provider, for so many tokens that were said.

        A model that thinks unseen has worked all the time that the call has lasted.
        """
        unseen = 0
        if self._call.reasons(self._target.upstream_model):
            unseen = max(0, self._elapsed_ms() * UNSEEN_TOKENS_PER_SECOND // 1000 - output)
        return Usage(input=self._record.input_tokens, output=output + unseen, reasoning=unseen)

    def _ended(self, cause: Cause, usage: Usage, status: int | None, *, estimated: bool) -> UsageRecord:
        record = self._record.ended(
            cause,
            self._tiered(usage),
            self._price,
            status=status,
            estimated=estimated,
            first_byte_ms=self._first_byte_ms,
            duration_ms=self._elapsed_ms(),
        )
        if estimated and self._asked:  # a guess, but where a bound is proved no more was used
            most = proved_for(self._asked, self._granted)
            if most is not None and (record.cost_nano_usd or 0) > most:
                return altered(record, cost_nano_usd=most)
        return record

    @property
    def answered(self) -> bool:
        """Tell whether the provider has begun to answer."""
        return self._first_byte_ms is not None

    def facts(self) -> Mapping[str, object]:
        """Return what the log line tells of the call."""
        record = self._record
        return {
            "model": record.model,
            "provider": record.provider,
            "streamed": record.streamed,
            "cause": record.cause,
            "input_tokens": record.input_tokens,
            "output_tokens": record.output_tokens,
            "cost_nano_usd": self._charged(record),
            "estimated": record.estimated,
            "first_byte_ms": record.first_byte_ms,
        }

    def _charged(self, record: UsageRecord) -> int | None:
        """Return what the gate charges for a record: where a hard budget let the call in, an estimate at its bound."""
        return self._reserved if record.estimated and self._left is not None else record.cost_nano_usd

    def _tiered(self, usage: Usage) -> Usage:
        """Where the provider does not say which tier it has billed: the one that was asked for, but no discount."""
        tier = self._call.tier
        return usage if usage.tier or tier in (None, FLEX) else usage._replace(tier=tier)

    def _elapsed_ms(self) -> int:
        return max(0, round((self._clock.now() - self._started).total_seconds() * 1000))


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
