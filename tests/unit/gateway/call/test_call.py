"""A call to a model: each way out settles it once, with the right cause and the right charge."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from lib.gateway.call.settlement import GRACE_SECONDS, Unsettled
from lib.gateway.callers.caller import StaleAccount
from lib.gateway.streams.upstream import AnswerTooLarge, ClientGone, StreamEnd, UpstreamTimeout, UpstreamUnreachable
from lib.kernel.errors import NotFound, Unavailable
from lib.kernel.failures import Failure
from lib.ledger.usage import Cause
from lib.ledger.usage_record import UsageRecord
from tests.unit.fakes import NOW
from tests.unit.gateway.calls import INPUT_ESTIMATE, SECRET, Calling, FakeGates
from tests.unit.gateway.fake_upstream import EVENTS, JSON, FakeAnswer
from tests.unit.strategies import cut

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 4}}
WHOLE = json.dumps({"choices": [], "usage": USAGE}).encode()
COST = 6 * 100 + 4 * 50 + 20 * 400
UNCHARGED = [UpstreamUnreachable()]
CHARGED = [UpstreamTimeout(), ClientGone(), asyncio.CancelledError()]


def test_a_whole_answer_is_handed_on_and_charged_by_its_usage() -> None:
    """Byte for byte, and the record names the price."""
    caller = Calling(FakeAnswer(pieces=[WHOLE]))
    outcome = caller.call()
    assert (outcome.status, outcome.sent) == (200, WHOLE)
    record = caller.record
    assert (record.cause, record.status, record.estimated) == ("finished", 200, False)
    assert (record.input_tokens, record.cached_input_tokens, record.output_tokens) == (10, 4, 20)
    assert (record.cost_nano_usd, record.price_version) == (COST, "p-1")
    assert outcome.facts["cause"] == "finished"


def test_an_answer_without_usage_is_charged_by_an_estimate() -> None:
    """Of what it says, and its record says so."""
    caller = Calling(FakeAnswer(pieces=[b'{"choices":[{"message":{"content":"hi there"}}]}' + b" " * 86]))
    caller.call()
    assert caller.record.estimated
    assert (caller.record.input_tokens, caller.record.output_tokens) == (INPUT_ESTIMATE, 2)


SAID = {"choices": [{"index": 0, "message": {"content": "hi there"}, "delta": {"content": "hi there"}}]}
ERROR = {"error": {"message": "overloaded"}}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("values", "cause", "tokens", "estimated"),
    [
        ([ERROR], Cause.UPSTREAM_REFUSED, (0, 0), False),
        ([{**ERROR, "usage": USAGE}], Cause.UPSTREAM_BROKE_OFF, (10, 20), False),
        ([{**ERROR, **SAID}], Cause.UPSTREAM_BROKE_OFF, (INPUT_ESTIMATE, 2), True),
    ],
    ids=["nothing but an error", "what it used", "what it said"],
)
def test_an_error_is_one_also_with_status_200(
    streamed: bool, values: list[object], cause: Cause, tokens: tuple[int, int], estimated: bool
) -> None:
    """It is handed on as it came, and charged for what it used or said before, if anything: never as finished."""
    texts = [json.dumps(value).encode() for value in values]
    pieces = [b"data: " + text + b"\n\n" for text in texts] if streamed else texts
    caller = Calling(FakeAnswer(headers=EVENTS if streamed else JSON, pieces=pieces), streamed=streamed)
    outcome = caller.call()
    assert (outcome.status, outcome.sent) == (200, b"".join(pieces))
    record = caller.record
    assert (record.cause, record.estimated, (record.input_tokens, record.output_tokens)) == (cause, estimated, tokens)
    assert (record.cost_nano_usd == 0) is (cause is Cause.UPSTREAM_REFUSED)
    assert outcome.facts["cause"] == cause


@pytest.mark.parametrize(("model", "unseen"), [("sim/o3", 500), ("sim/gpt-4o", 0)])
@pytest.mark.parametrize("how", ["before the first byte", "in a stream"])
def test_what_a_model_thinks_unseen_counts(model: str, unseen: int, how: str) -> None:
    """By the time that it took: a client that leaves before the first text has used more than its question."""
    stream = [b"data: " + json.dumps(SAID).encode() + b"\n\n"]
    answer = FakeAnswer(headers=EVENTS, pieces=stream, how=StreamEnd.CLIENT_GONE)
    caller = Calling(ClientGone() if how == "before the first byte" else answer, streamed=True, model=model)
    post = caller.upstream.post

    async def slow(*args: object) -> FakeAnswer:
        caller.clock.advance(seconds=5)
        return await post(*args)  # type: ignore[arg-type]

    caller.upstream.post = slow  # type: ignore[method-assign, assignment]
    caller.call()
    said = 2 if how == "in a stream" else 0
    assert caller.record.output_tokens == max(said, unseen)
    assert caller.record.reasoning_tokens == max(0, unseen - said)


def test_without_a_price_the_tokens_are_recorded_and_the_cost_is_unknown() -> None:
    """None, which is not nought."""
    caller = Calling(FakeAnswer(pieces=[WHOLE]), model="free/x")
    caller.call()
    assert (caller.record.cost_nano_usd, caller.record.price_version, caller.record.output_tokens) == (None, None, 20)


def test_the_provider_gets_its_own_name_key_and_body() -> None:
    """And nothing of the client's."""
    caller = Calling(FakeAnswer(pieces=[WHOLE]), model="mine")
    caller.call()
    [sent] = caller.upstream.sent
    assert sent.url == "https://provider.internal/v1/chat/completions"
    assert dict(sent.headers) == {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    assert json.loads(sent.body) == {"model": "theirs"}
    assert sent.timeout_seconds == 600
    assert (caller.record.model, caller.record.upstream_model) == ("mine", "theirs")


def test_what_is_charged_if_everything_dies_is_written_before_the_provider_is_called() -> None:
    """Lost, estimated, at the estimate of the input; until the call's time and a little more are over."""
    caller = Calling()
    caller.call()
    [(opened, deadline)] = caller.gates.opened
    assert (opened.cause, opened.estimated, opened.input_tokens) == (Cause.LOST, True, INPUT_ESTIMATE)
    assert (opened.cost_nano_usd, opened.output_tokens) == (INPUT_ESTIMATE * 100, 0)
    assert deadline == NOW + timedelta(seconds=600 + GRACE_SECONDS)


@pytest.mark.parametrize("failure", [Unavailable("away"), StaleAccount(1)])
def test_nothing_is_sent_when_the_gate_does_not_open(failure: Exception) -> None:
    """And nothing is settled: there is nothing to settle."""
    caller = Calling()
    caller.gates.failure = failure
    if isinstance(failure, Unavailable):
        assert caller.call().status == 503
    else:
        with pytest.raises(StaleAccount):
            caller.call()
    assert caller.upstream.sent == []
    assert caller.gates.settled == []


def test_an_unknown_model_opens_nothing() -> None:
    """404 before the gate is asked."""
    caller = Calling(model="nobody/x")
    assert isinstance(caller.call().error, NotFound)
    assert (caller.gates.opened, caller.upstream.sent) == ([], [])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("failure", "status", "cause"),
    [
        (UpstreamUnreachable(), 502, {Cause.UPSTREAM_UNREACHABLE}),
        (UpstreamTimeout(), 504, {Cause.UPSTREAM_TIMEOUT}),
        (ClientGone(), 502, {Cause.CLIENT_GONE_BEFORE_FIRST_BYTE, Cause.CLIENT_GONE_NON_STREAMING}),
        (asyncio.CancelledError(), 502, {Cause.CLIENT_GONE_BEFORE_FIRST_BYTE, Cause.CLIENT_GONE_NON_STREAMING}),
    ],
)
def test_a_call_that_gets_no_answer_is_settled_once(
    failure: BaseException, status: int, cause: set[Cause], streamed: bool
) -> None:
    """With its cause; the input is charged where the provider may have read it."""
    caller = Calling(failure, streamed=streamed)
    outcome = caller.call()
    record = caller.record
    assert outcome.status == status
    assert record.cause in cause
    if len(cause) > 1:
        assert (record.cause == Cause.CLIENT_GONE_BEFORE_FIRST_BYTE) is streamed
    charged = not isinstance(failure, UpstreamUnreachable)
    assert (record.input_tokens, record.output_tokens, record.status) == (INPUT_ESTIMATE if charged else 0, 0, None)
    assert record.estimated is charged
    assert record.first_byte_ms is None
    assert outcome.facts["cause"] == record.cause


@pytest.mark.parametrize(
    ("failure", "status", "cause"),
    [
        (UpstreamUnreachable(), 502, Cause.UPSTREAM_BROKE_OFF),
        (UpstreamTimeout(), 504, Cause.UPSTREAM_TIMEOUT),
        (ClientGone(), 502, Cause.CLIENT_GONE_NON_STREAMING),
        (asyncio.CancelledError(), 502, Cause.CLIENT_GONE_NON_STREAMING),
    ],
)
def test_a_whole_answer_that_breaks_off_is_settled_once_and_charged(
    failure: BaseException, status: int, cause: Cause
) -> None:
    """The provider has worked: at least the input is charged, as an estimate."""
    caller = Calling(FakeAnswer(failure=failure))
    outcome = caller.call()
    assert outcome.status == status
    assert (caller.record.cause, caller.record.input_tokens, caller.record.estimated) == (cause, INPUT_ESTIMATE, True)
    assert caller.record.first_byte_ms is not None


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503, 529])
def test_a_refusal_is_handed_on_and_costs_nothing(status: int) -> None:
    """Its status, its body, and the headers by which SDKs decide when to retry."""
    error = {"error": {"message": "no", "type": "x", "param": None, "code": None}}
    headers = {"content-type": "application/json", "retry-after": "7", "x-ratelimit-limit-requests": "1", "server": "x"}
    caller = Calling(FakeAnswer(status, headers, [json.dumps(error).encode()]))
    outcome = caller.call()
    assert (outcome.status, outcome.json) == (status, error)
    kept = {name: headers[name] for name in headers if name not in ("server", "x-ratelimit-limit-requests")}
    assert dict(outcome.headers) == {**kept, "x-headgate-cost": "0"}
    record = caller.record
    assert (record.cause, record.status, record.estimated) == ("upstream_refused", status, False)
    assert (record.input_tokens, record.output_tokens, record.cost_nano_usd) == (0, 0, 0)


def test_a_refusal_of_a_stream_is_no_stream() -> None:
    """An error before the first byte is an ordinary error."""
    caller = Calling(FakeAnswer(429, pieces=[b'{"error":{}}']), streamed=True)
    assert caller.call().status == 429
    assert caller.record.cause == "upstream_refused"


def test_a_refusal_tells_nothing_of_our_key() -> None:
    """Providers quote it."""
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}"}}).encode()
    outcome = Calling(FakeAnswer(400, pieces=[body])).call()
    assert SECRET not in outcome.sent.decode()
    assert "[redacted]" in outcome.json["error"]["message"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (401, "invalid_api_key", Failure.PROVIDER_REFUSED_KEY),
        (403, "invalid_api_key", Failure.PROVIDER_REFUSED_KEY),
        (402, "insufficient_balance", Failure.PROVIDER_OUT_OF_CREDIT),
        (429, "insufficient_quota", Failure.PROVIDER_OUT_OF_CREDIT),
    ],
)
def test_what_only_our_operator_can_mend_is_no_fault_of_the_callers(
    status: int, code: str, failure: Failure, streamed: bool, noted: list[dict[str, object]]
) -> None:
    """Its key is right, and so is its budget: a 502 that no SDK tries again; the log tells the operator why."""
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}", "code": code}})
    headers = {"content-type": "application/json", "x-should-retry": "true", "retry-after": "1"}
    caller = Calling(FakeAnswer(status, headers, [body.encode()]), streamed=streamed)
    outcome = caller.call()
    assert (outcome.status, outcome.json["error"]["code"]) == (502, failure.name.lower())
    assert "Incorrect" not in outcome.sent.decode()
    assert (outcome.headers["x-should-retry"], outcome.headers.get("retry-after")) == ("false", None)
    assert (caller.record.cause, caller.record.status, caller.record.cost_nano_usd) == ("upstream_refused", status, 0)
    [line] = noted
    told = (line["failure"], line["alert"], SECRET in str(line))
    assert told == (failure.name.lower(), "operator", False)
    assert f"sim, {status}" in str(line["reason"])
    assert "Incorrect API key" in str(line["reason"])


def test_a_call_whose_settling_breaks_is_told_by_its_model_all_the_same() -> None:
    """Its log line is where an operator looks: `lib.worker.serving` puts these facts on it."""

    class Breaking(FakeGates):
        async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
            raise RuntimeError(record.id, at_once)

    with pytest.raises(Unsettled) as broken:
        Calling(gates=Breaking()).call()
    assert (broken.value.facts["model"], broken.value.facts["provider"]) == ("sim/chat", "sim")


@pytest.mark.parametrize("headers", [{"content-type": "text/html"}, {}])
def test_a_refusal_that_is_no_json_is_replaced(headers: dict[str, str]) -> None:
    """The page of a proxy may name its host; SDKs get an error that they can read."""
    caller = Calling(FakeAnswer(502, headers, [b"<html>nginx at 10.0.0.7</html>"]))
    outcome = caller.call()
    assert (outcome.status, outcome.headers["content-type"]) == (502, "application/json")
    assert set(outcome.json["error"]) == {"message", "type", "param", "code"}
    assert b"10.0.0.7" not in outcome.sent


@pytest.mark.parametrize("failure", [UpstreamUnreachable(), AnswerTooLarge()])
def test_a_refusal_whose_body_never_comes_costs_nothing_either(failure: BaseException) -> None:
    """The status said that the provider did not do the work."""
    caller = Calling(FakeAnswer(500, failure=failure))
    assert caller.call().status == 502
    assert caller.record.cost_nano_usd == 0


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """Following it would carry our key to another host; the client does not learn where it led."""
    answer = FakeAnswer(status, {"location": "https://evil.example/", "content-type": "text/html"}, [b"moved"])
    caller = Calling(answer)
    outcome = caller.call()
    assert outcome.status == 502
    assert len(caller.upstream.sent) == answer.discarded == 1
    assert (outcome.sent, "location" in outcome.headers) == (b"", False)
    assert caller.record.status is None


def test_a_redirect_costs_nothing() -> None:
    """The provider has done no work; nobody there read the input."""
    caller = Calling(FakeAnswer(307, {"location": "https://elsewhere.example/"}, [b"moved"]))
    caller.call()
    assert caller.record.cost_nano_usd == 0


def test_an_error_of_ours_names_no_upstream() -> None:
    """Neither its address nor its key."""
    for failure in (*UNCHARGED, *CHARGED):
        error = Calling(failure).call().error
        assert error is not None
        assert "provider.internal" not in error.message + repr(error.details) + repr(error.headers)


def test_times_are_measured_from_the_start() -> None:
    """To the first byte, and to the end; a clock that goes back makes no negative time."""
    caller = Calling(FakeAnswer(pieces=[WHOLE]))
    post = caller.upstream.post

    async def slow(*args: object) -> FakeAnswer:
        caller.clock.advance(milliseconds=250)
        answer = await post(*args)  # type: ignore[arg-type]
        caller.clock.advance(milliseconds=-100)
        return answer

    caller.upstream.post = slow  # type: ignore[method-assign, assignment]
    caller.call()
    assert (caller.record.first_byte_ms, caller.record.duration_ms) == (150, 150)


def test_a_stream_that_was_asked_for_but_comes_whole_is_handed_on_whole() -> None:
    """Some providers ignore `stream` for some models."""
    caller = Calling(FakeAnswer(pieces=cut(WHOLE, [5, 9])), streamed=True)
    assert caller.call().sent == WHOLE
    assert (caller.record.cause, caller.record.output_tokens, caller.record.streamed) == ("finished", 20, True)
