"""Call a model: open the record, ask the provider, hand its answer on, settle what was used.

The order is the promise: nothing is sent to a provider before the gate has the record, and every way out settles it.
Settling happens after the answer has begun, off the client's path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from lib.gateway.call import answer_headers
from lib.gateway.call.plan import Attempt, Call, Outcome, Plan, plan
from lib.gateway.call.settlement import Gates, Settlement
from lib.gateway.call.telling import Charge, wants_cost_event
from lib.gateway.callers.caller import Caller
from lib.gateway.catalogue import Candidate, find
from lib.gateway.formats.format import Facts, Format, StreamFormat, Writing
from lib.gateway.model_lists import ModelLists
from lib.gateway.models import Completion
from lib.gateway.providers.provider import Provider
from lib.gateway.streams.answer_ends import usage_at_ends
from lib.gateway.streams.hiding import HidingFilter
from lib.gateway.streams.stream_text import StreamText
from lib.gateway.streams.upstream import (
    AnswerTooLarge,
    ClientGone,
    Ends,
    NeverAsked,
    Passage,
    Relay,
    StreamEnd,
    Upstream,
    UpstreamAnswer,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from lib.http.memory import STREAM_BYTES, Share
from lib.http.request import Validated
from lib.http.response import Finish, LogFacts, NativeBody, Response
from lib.kernel import failures, json_body
from lib.kernel.clock import Clock
from lib.kernel.errors import BadGateway, BadRequest, GatewayTimeout, HeadgateError, NotFound
from lib.kernel.failures import Failure
from lib.ledger.usage import Cause, Usage

MOST_HELD_BYTES = 1024 * 1024  # a longer answer is handed on as it comes
LEAST_HELD_BYTES = 64 * 1024  # so is one over this where memory is scarce
SHORT_BYTES = 8 * 1024  # what an open stream is counted for has room for such a whole answer
MOST_ERROR_BYTES = 256 * 1024
EVENT_STREAM = "text/event-stream"


# A client takes a 401 for its own key, and a 402 for a budget of its organisation's.
_OPERATORS = {
    Failure.PROVIDER_REFUSED_KEY: "The provider refuses this deployment's own key, or what it may do."
    " Its operator has to mend that.",
    Failure.PROVIDER_OUT_OF_CREDIT: "This deployment's account at the provider is out of credit; no budget here is."
    " Its operator has to mend that.",
}
_OPERATORS_HEADERS = {"content-type": "application/json", "cache-control": "no-store", "x-should-retry": "false"}


class Redirected(Exception):
    """The provider named another address. Following it would carry our key there."""


class Refused(Exception):
    """The provider refused, and even its reason did not arrive."""


_FAILURES = (ClientGone, UpstreamTimeout, UpstreamUnreachable, Redirected, Refused)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a call to a model takes."""

    providers: Mapping[str, Provider]
    upstream: Upstream
    gates: Gates
    clock: Clock
    timeout_seconds: int
    output_floor: int
    lists: ModelLists


class _Exchange(NamedTuple):
    """One call under way. With `tells_cost` an event behind its stream's end mark says what it costs."""

    wire: Format[Any]
    facts: Facts
    attempt: Attempt
    settlement: Settlement
    share: Share
    tells_cost: bool


async def call_model(
    gateway: Gateway,
    wire: Format[Any],
    account: Caller,
    incoming: Validated[Any, Any],
    opened: Callable[[], Awaitable[None]],
) -> Response:
    """Return the provider's answer to a request in a wire format. Raises the errors of `lib.kernel.errors`, each with
    its settlement to run after.

    `incoming` is what the client asked; its body is let go of when the provider's is made. `opened` is awaited when the
    gate has let the request in: the store is needed no more, and the call may last long.
    """
    facts = wire.facts(incoming.body, incoming.json)
    tells_cost = facts.streamed and wants_cost_event(incoming.headers)
    way = await _planned(gateway, wire.name, facts.model, account)
    [candidate] = way.candidates
    writing = Writing(wire, incoming.body, incoming.json, candidate.upstream_model, candidate.facts)
    call = Call(
        *(incoming.id, wire.name, facts.streamed, facts.input_estimate, writing.bound),
        *(facts.end_user, facts.tier, wire.reasons_unseen),
    )
    settlement = Settlement(gateway.gates, gateway.clock, account, call, way)
    admitted = await settlement.open(gateway.timeout_seconds, gateway.output_floor)
    attempt = settlement.attempt(candidate)
    try:
        await opened()
        answer = await gateway.upstream.post(
            *_sent(wire.name, candidate, writing.text(admitted.output_tokens), incoming),  # no name here keeps the body
            incoming.client,
            gateway.timeout_seconds,
        )
        attempt.answered()
        return await _respond(_Exchange(wire, facts, attempt, settlement, incoming.share, tells_cost), answer)
    except (*_FAILURES, asyncio.CancelledError) as failure:
        error = _failed(failure, settlement, attempt, streamed=facts.streamed)
        error.headers.update(settlement.headers)
        raise error from failure


def _sent(
    wire: str, candidate: Candidate, body: bytes, incoming: Validated[Any, Any]
) -> tuple[str, Mapping[str, str], bytes]:
    """Return address, headers and body of the call to the provider."""
    incoming.spent()
    incoming.share.keep(len(body))  # the platform's copy, until the provider has answered
    provider = candidate.provider
    sent = provider.request(wire, candidate.upstream_model, body, provider.secret)
    return sent.url, sent.headers, body


async def _planned(gateway: Gateway, wire: str, model: str, account: Caller) -> Plan:
    """Return where the calls to a model go. Raises NotFound, also where its provider has no such API.

    Only an account that the gate has confirmed is told that there is no such model: an old one may lack what was made a
    moment ago, or be revoked.
    """
    try:
        known = gateway.providers, account.principal.models, gateway.lists
        name, candidate = await find(model, account.routes, *known)
        return plan(wire, name, (candidate,))
    except NotFound:
        await gateway.gates.confirm(account)
        raise


async def _respond(exchange: _Exchange, answer: UpstreamAnswer) -> Response:
    exchange.share.keep(STREAM_BYTES)
    headers = answer_headers.kept(answer.headers, exchange.wire.dialect.kept)
    if not 200 <= answer.status < 600:  # no status of HTTP's: what it means is anybody's guess
        await answer.discard()
        raise UpstreamUnreachable
    if answer.status >= 400:
        return await _refused(exchange, answer, headers)
    if not 200 <= answer.status < 300:
        await answer.discard()
        raise Redirected
    stream = exchange.wire.stream if exchange.facts.streamed else None
    if stream and headers.get("content-type", "").lower().startswith(EVENT_STREAM):
        return _streamed(exchange, stream, answer, headers)
    return await _whole(exchange, answer, headers)


async def _refused(exchange: _Exchange, answer: UpstreamAnswer, headers: dict[str, str]) -> Response:
    """Hand a provider's error on: its status, body and headers. Providers do not charge for a refusal.

    But what only our operator can mend is no fault of the caller, whose key is right: a 401 would send it away.
    """
    settlement, attempt, error = exchange.settlement, exchange.attempt, exchange.wire.error
    provider = attempt.candidate.provider
    try:
        body = (await answer.read(MOST_ERROR_BYTES)).to_bytes()
    except (UpstreamUnreachable, AnswerTooLarge) as failure:
        raise Refused from failure
    settlement.close(Outcome(attempt, Cause.UPSTREAM_REFUSED, Usage(), answer.status, estimated=False))
    fault = provider.fault(answer.status, body, provider.secret)
    body = fault.body
    if operators := fault.operators:
        failures.note(operators, f"{provider.name}, {answer.status}: {body.decode(errors='replace')}")
        refusal = error(_OPERATORS[operators], "server_error", operators.name.lower())
        return _answered(settlement, 502, _OPERATORS_HEADERS, refusal)
    # What is no JSON is a page of some proxy on the way, which may name its host.
    if "json" not in headers.get("content-type", "") or not _is_json(body):
        message = f"The provider answered with status {answer.status}."
        body, headers["content-type"] = error(message, "upstream_error", "upstream_error"), "application/json"
    return _answered(settlement, answer.status, headers, body)


def _answered(
    settlement: Settlement,
    status: int,
    headers: Mapping[str, str],
    body: bytes | NativeBody,
    finish: Finish | None = None,
) -> Response:
    """Return an answer that tells as well where its caller stands, and what it is charged."""
    headers = {**headers, **settlement.headers}
    return Response(status, headers, body, finish=finish or settlement.closed)


def _is_json(body: bytes) -> bool:
    try:
        json_body.parse(body)
    except BadRequest:
        return False
    return True


async def _whole(exchange: _Exchange, answer: UpstreamAnswer, headers: dict[str, str]) -> Response:
    wire, attempt, settlement, share = exchange.wire, exchange.attempt, exchange.settlement, exchange.share
    provider = attempt.candidate.provider
    most = MOST_HELD_BYTES if share.has_room(3 * MOST_HELD_BYTES) else LEAST_HELD_BYTES
    body = await answer.hold(most, lambda size: share.keep(STREAM_BYTES + size))
    if body is None:
        share.keep(STREAM_BYTES + most)
        passage = answer.passage(HidingFilter(provider.shown) if provider.shown else None)
        return _passed(exchange, answer, headers, passage)
    text = body.to_bytes()
    if len(text) > SHORT_BYTES:
        share.keep(STREAM_BYTES + 2 * len(text))
    usage, failed = wire.usage(text), wire.told_error(text)
    output = 0 if usage else wire.output_estimate(text)
    known, estimated = _used(attempt, usage, output, refused=failed and not output)
    cause = _failure_cause(known) if failed else Cause.FINISHED
    # Before the client has the answer: its next call must not find this one under way.
    settlement.close(Outcome(attempt, cause, known, answer.status, estimated))
    clean = provider.fault(answer.status, text, provider.secret).body if failed else provider.shown.taken_out(text)
    return _answered(settlement, answer.status, headers, body if clean is text else clean)


def _passed(exchange: _Exchange, answer: UpstreamAnswer, headers: dict[str, str], passage: Passage) -> Response:
    """Hand on an answer that is too large to hold. Its headers go before its cost is known, and do not tell that."""
    wire, attempt, settlement = exchange.wire, exchange.attempt, exchange.settlement

    def close(ends: Ends) -> None:
        usage = usage_at_ends(ends, wire.usage)
        output = ends.size // 4 if wire.has_output else 0
        known, estimated = _used(attempt, usage, output, refused=False)
        settlement.close(Outcome(attempt, _PASSED[ends.end], known, answer.status, estimated))

    async def settle() -> LogFacts:
        await passage.finished(close)
        return await settlement.closed()

    return _answered(settlement, answer.status, headers, passage.body, settle)


_PASSED = {
    StreamEnd.PROVIDER_DONE: Cause.FINISHED,
    StreamEnd.PROVIDER_BROKE_OFF: Cause.UPSTREAM_BROKE_OFF,
    StreamEnd.TIMEOUT: Cause.UPSTREAM_TIMEOUT,
    StreamEnd.CLIENT_GONE: Cause.CLIENT_GONE_NON_STREAMING,
}


def _used(attempt: Attempt, usage: Usage | None, output: int, *, refused: bool) -> tuple[Usage, bool]:
    """Return what was used, and whether that is an estimate. An error before anything was said has cost nothing."""
    if usage or refused:
        return usage or Usage(), False
    return attempt.estimate(output), True


def _failure_cause(used: Usage) -> Cause:
    return Cause.UPSTREAM_REFUSED if used == Usage() else Cause.UPSTREAM_BROKE_OFF


class _Reading:
    """What the text of one stream tells. Each text is read once."""

    def __init__(self, stream: StreamFormat, attempt: Attempt, held: Callable[[int], None]) -> None:
        self.heard = StreamText(stream.condense, held)
        self._completion = lru_cache(1)(lambda text: stream.completion(text, self.heard.earlier))
        self._used = lru_cache(1)(self._read)
        self._stream = stream
        self._attempt = attempt

    def completion(self) -> Completion:
        """Return how far the text goes."""
        return self._completion(self.heard.text)

    def _read(self, end: StreamEnd, text: bytes) -> tuple[Usage, bool]:
        """Return what was used, and whether that is an estimate."""
        earlier = self.heard.earlier
        usage, completion = self._stream.usage(text, earlier), self.completion()
        # Some tell it with the text, again and again: of what is cut off, that is not the last word.
        running = end is not StreamEnd.PROVIDER_DONE and completion is Completion.TRUNCATED
        output = self._stream.output_estimate(text, earlier) if running or not usage else 0
        if usage and running:
            return usage._replace(output=max(usage.output, output)), True
        return _used(self._attempt, usage, output, refused=completion is Completion.REFUSED)

    def ended(self, end: StreamEnd) -> tuple[Cause, Usage, bool]:
        """Return why the stream ended, and what was used."""
        known, estimated = self._used(end, self.heard.text)
        return _cause(end, self.completion(), known), known, estimated


def _streamed(exchange: _Exchange, stream: StreamFormat, answer: UpstreamAnswer, headers: dict[str, str]) -> Response:
    settlement, attempt, share = exchange.settlement, exchange.attempt, exchange.share
    shown = attempt.candidate.provider.shown
    sieve = None if exchange.facts.wants_usage else stream.sieve()
    reading = _Reading(stream, attempt, lambda size: share.keep(STREAM_BYTES + size))

    def close(end: StreamEnd) -> Charge:
        cause, known, estimated = reading.ended(end)
        return settlement.close(Outcome(attempt, cause, known, answer.status, estimated))

    def ending(end: StreamEnd, unfinished: bytes, held: bytes) -> bytes:
        charge = close(end)  # before the client has the last byte
        if end is StreamEnd.CLIENT_GONE:
            return b""
        completion = reading.completion()
        whole = not unfinished and _said_all(end, completion)
        last = stream.held_mark(held) if whole else stream.broken(unfinished, *_late_error(end))
        # Behind the end mark alone: who reads on to the connection's end would take it for one more piece of text.
        if not exchange.tells_cost or completion is not Completion.MARKED:
            return last
        return last + charge.event()

    relay: Relay = answer.relay(reading.heard, ending, sieve, HidingFilter(shown) if shown else None)

    async def settle() -> LogFacts:
        # Under load workerd may end the request of a client that has left, whatever it was asked to wait for: so what
        # is known at that moment is left to be settled by others. If we get to settle it ourselves, that is the same.
        await relay.finished(close)
        return await settlement.closed()

    return _answered(settlement, answer.status, answer_headers.untransformed(headers), relay.body, settle)


def _said_all(end: StreamEnd, completion: Completion) -> bool:
    """Tell whether nothing is missing. What breaks off behind the end mark, or the provider's own error, is no loss."""
    if completion in (Completion.MARKED, Completion.FAILED, Completion.REFUSED):
        return True
    return end is StreamEnd.PROVIDER_DONE and completion is Completion.WHOLE


def _cause(end: StreamEnd, completion: Completion, used: Usage) -> Cause:
    if end is StreamEnd.CLIENT_GONE:
        return Cause.CLIENT_GONE_MID_STREAM
    if end is StreamEnd.TIMEOUT and not _said_all(end, completion):
        return Cause.UPSTREAM_TIMEOUT
    if completion in (Completion.FAILED, Completion.REFUSED):
        return _failure_cause(used)
    return Cause.FINISHED if _said_all(end, completion) else Cause.UPSTREAM_BROKE_OFF


def _late_error(end: StreamEnd) -> tuple[str, str]:
    """Return the message and the code of what ends a stream that broke off."""
    if end is StreamEnd.TIMEOUT:
        return "The provider did not finish its answer in time.", "upstream_timeout"
    return "The provider broke off in the middle of its answer.", "upstream_broke_off"


def _failed(failure: BaseException, settlement: Settlement, attempt: Attempt, *, streamed: bool) -> HeadgateError:
    """Return the error to answer with; it carries the settlement of the call."""
    error: HeadgateError = BadGateway("The provider could not be reached, or did not finish its answer.")
    cause, charged = Cause.UPSTREAM_UNREACHABLE, False
    if isinstance(failure, Refused):
        cause = Cause.UPSTREAM_REFUSED
    elif (
        isinstance(failure, UpstreamUnreachable) and attempt.first_byte_ms is not None
    ):  # broken off, so it has worked for us
        cause, charged = Cause.UPSTREAM_BROKE_OFF, True
    if isinstance(failure, UpstreamTimeout):
        error, cause, charged = GatewayTimeout("The provider did not answer in time."), Cause.UPSTREAM_TIMEOUT, True
    elif isinstance(failure, ClientGone | asyncio.CancelledError):
        cause = Cause.CLIENT_GONE_BEFORE_FIRST_BYTE if streamed else Cause.CLIENT_GONE_NON_STREAMING
        charged = not isinstance(failure, NeverAsked)

    # One that the provider never answered has used nothing, where it can't have read it.
    used = attempt.estimate(0) if charged else Usage()
    settlement.close(Outcome(attempt, cause, used, None, estimated=charged))
    error.finish = settlement.closed
    return error
