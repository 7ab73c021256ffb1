"""What a client is told of its call's cost: it is what the record says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from lib.admission.decision import Ask, reserved_for
from lib.gateway.call.admitting import Admitted
from lib.gateway.call.telling import Charge, wants_cost_event
from lib.gateway.streams.upstream import ClientGone, NeverAsked, StreamEnd, UpstreamTimeout, UpstreamUnreachable
from lib.kernel.errors import BadRequest
from lib.ledger.usage import Cause
from tests.unit.gateway.calls import BOUND, INPUT_ESTIMATE, PRICE, Calling, FakeGates
from tests.unit.gateway.fake_upstream import EVENTS, FakeAnswer
from tests.unit.gateway.test_call_streams import DONE, FINISH, STREAM, TEXT, TOLD, USAGE, event
from tests.unit.strategies import PLACES, cut

COST, LEFT = "x-headgate-cost", "x-headgate-budget-remaining"
GRANTED, BUDGET_LEFT = 30, 1_000
RESERVED = (BOUND.input_tokens or 0) * PRICE.input + GRANTED * PRICE.output
PAID = USAGE["prompt_tokens"] * PRICE.input + USAGE["completion_tokens"] * PRICE.output


def caller(answer: FakeAnswer | BaseException, **fields: Any) -> Calling:
    """A call under a hard budget of which so much is left when it was let in."""
    admitted = Admitted(GRANTED, {LEFT: str(BUDGET_LEFT)}, BUDGET_LEFT)
    return Calling(answer, gates=FakeGates(answer=admitted), **fields)


def whole(body: object) -> FakeAnswer:
    return FakeAnswer(pieces=[json.dumps(body).encode()])


def streamed(text: bytes, how: StreamEnd = StreamEnd.PROVIDER_DONE, places: list[int] | None = None) -> FakeAnswer:
    return FakeAnswer(headers=EVENTS, pieces=cut(text, places or []), how=how)


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (whole({"usage": USAGE}), PAID),
        (FakeAnswer(429, pieces=[b"{}"]), 0),
        (UpstreamUnreachable(), 0),
        (NeverAsked(), 0),
        (UpstreamTimeout(), RESERVED),
        (ClientGone(), RESERVED),
        (FakeAnswer(failure=UpstreamUnreachable()), RESERVED),
        (FakeAnswer(pieces=[b"x" * 4_000]), RESERVED),
    ],
    ids=["finished", "refused", "unreachable", "left before", "timeout", "left", "broken off", "no usage"],
)
def test_an_answer_tells_what_it_cost(answer: FakeAnswer | BaseException, cost: int) -> None:
    """Errors too: what the gate charges, which is the bound where nobody told the usage. What is left is as of
    admission, with what was reserved and is not used.
    """
    call = caller(answer)
    outcome = call.call()
    assert (outcome.headers[COST], outcome.headers[LEFT]) == (str(cost), str(BUDGET_LEFT + RESERVED - cost))
    assert outcome.facts["cost_nano_usd"] == cost
    assert call.record.estimated is (cost == RESERVED)


def test_what_is_reserved_is_what_the_gate_says() -> None:
    """For what was granted, or for what the client set itself."""
    ask = Ask({}, 1, 20, None, None, 2, 1, 3, 5, 7)
    assert reserved_for(ask, 30) == 7 + 20 * 3 + 30 * 2 * 5


def test_no_price_tells_no_cost_and_no_budget_nothing_of_one() -> None:
    """What nobody knows is not 0; but a call that the provider refused costs nothing."""
    assert COST not in Calling(whole({"usage": USAGE}), model="free/x").call().headers
    assert Calling(FakeAnswer(429, pieces=[b"{}"]), model="free/x").call().headers[COST] == "0"
    assert LEFT not in Calling(whole({"usage": USAGE})).call().headers


def test_more_than_all_that_was_left_leaves_nothing() -> None:
    """A provider that passes the bound: what is left is never below 0."""
    usage = {"prompt_tokens": 10**6, "completion_tokens": 0}
    assert caller(whole({"usage": usage})).call().headers[LEFT] == "0"


@pytest.mark.parametrize("wants_usage", [False, True])
@given(places=PLACES)
def test_a_stream_tells_behind_its_end_mark_when_asked(wants_usage: bool, places: list[int]) -> None:
    """One event, and every byte before it was; the headers went before anybody knew."""
    call = caller(streamed(STREAM, places=places), streamed=True, wants_usage=wants_usage, wants_cost=True)
    outcome = call.call()
    before = STREAM if wants_usage else TEXT + FINISH + DONE
    told = Charge(PAID, BUDGET_LEFT + RESERVED - PAID, estimated=False).event()
    assert outcome.sent == before + told
    assert (COST in outcome.headers, outcome.headers[LEFT]) == (False, str(BUDGET_LEFT))
    assert call.record.cost_nano_usd == PAID


@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("missing", [1, 2])
def test_an_end_mark_without_its_blank_line_gets_one(missing: int, wants_usage: bool) -> None:
    """Else the event would be a part of it."""
    call = caller(streamed(STREAM[:-missing]), streamed=True, wants_usage=wants_usage, wants_cost=True)
    before, _, told = call.call().sent.partition(b"event: headgate.cost\ndata: ")
    assert before.rstrip(b"\n") == (STREAM if wants_usage else TEXT + FINISH + DONE).rstrip(b"\n")
    assert before.endswith(b"\n\n")
    assert json.loads(told) == {
        "cost_nano_usd": PAID,
        "budget_remaining_nano_usd": BUDGET_LEFT + RESERVED - PAID,
        "estimated": False,
    }


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (TEXT, StreamEnd.PROVIDER_BROKE_OFF),
        (TEXT + FINISH + TOLD, StreamEnd.PROVIDER_DONE),
        (TEXT, StreamEnd.TIMEOUT),
        (STREAM, StreamEnd.CLIENT_GONE),
        (TEXT + b'data: {"error":{"message":"no"}}\n\n', StreamEnd.PROVIDER_DONE),
    ],
    ids=["broken off", "no end mark", "too long", "nobody there", "the provider's own error"],
)
def test_no_other_stream_has_the_event(text: bytes, how: StreamEnd) -> None:
    """A broken one ends in its error, and one without an end mark is read to its very end by SDKs."""
    assert b"headgate.cost" not in caller(streamed(text, how), streamed=True, wants_cost=True).call().sent


def test_nor_has_one_that_did_not_ask() -> None:
    """Byte for byte the provider's."""
    assert b"headgate.cost" not in caller(streamed(STREAM), streamed=True).call().sent


def test_an_estimate_says_so() -> None:
    """A provider that told no usage."""
    call = caller(streamed(TEXT + FINISH + DONE), streamed=True, wants_cost=True)
    told = json.loads(call.call().sent.rpartition(b"data: ")[2])
    assert told["estimated"] is True
    assert told["cost_nano_usd"] == RESERVED
    assert call.record.cause == Cause.FINISHED


def running(said: int) -> bytes:
    """A word, and what was used with it."""
    choice = {"index": 0, "delta": {"content": "word "}}
    return event({"choices": [choice], "usage": USAGE | {"completion_tokens": said}})


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("how", [StreamEnd.CLIENT_GONE, StreamEnd.TIMEOUT, StreamEnd.PROVIDER_BROKE_OFF])
def test_a_running_total_is_not_the_last_word_of_what_was_cut_off(how: StreamEnd, hard: bool) -> None:
    """Nobody knows how far the provider was ahead: the bound under a hard budget, else no less than what was said."""
    call = caller(streamed(running(0) + running(1) + running(1), how), streamed=True)
    if not hard:
        call.gates.answer = Admitted()
    cost = call.call().facts["cost_nano_usd"]
    assert call.record.estimated
    assert cost == (RESERVED if hard else USAGE["prompt_tokens"] * PRICE.input + 4 * PRICE.output)


@pytest.mark.parametrize(
    ("granted", "cost"), [(GRANTED, RESERVED), (None, INPUT_ESTIMATE * PRICE.input + 1_000 * PRICE.output)]
)
def test_an_estimate_is_no_more_than_what_is_proved(granted: int | None, cost: int) -> None:
    """Without a hard budget too. Where nothing bounds the output, nothing is proved: what was said is charged."""
    said = whole({"choices": [{"message": {"content": "x" * 4_000}}]})
    call = Calling(said, gates=FakeGates(answer=Admitted(granted)))
    outcome = call.call()
    assert (outcome.headers[COST], outcome.facts["cost_nano_usd"]) == (str(cost), cost)
    assert (call.record.cost_nano_usd, call.record.estimated) == (cost, True)


@pytest.mark.parametrize(("value", "wanted"), [(None, False), ("false", False), ("true", True)])
def test_it_is_asked_for_by_a_header(value: str | None, wanted: bool) -> None:
    """With true."""
    assert wants_cost_event({"x-headgate-stream-cost": value} if value else {}) is wanted


@pytest.mark.parametrize("value", ["1", "True", "", "true, true"])
def test_another_value_is_refused(value: str) -> None:
    """Rather than read as what it may not mean."""
    with pytest.raises(BadRequest):
        wants_cost_event({"x-headgate-stream-cost": value})


@pytest.mark.parametrize(
    ("tier", "told", "billed"), [("priority", None, "priority"), ("flex", None, None), (None, "flex", "flex")]
)
def test_a_call_is_charged_by_the_tier_that_was_billed(tier: str | None, told: str | None, billed: str | None) -> None:
    """As the provider says; where it does not, by what was asked for, but no discount is assumed."""
    call = Calling(whole({"usage": USAGE, "service_tier": told}), tier=tier, model="tiers/x")
    expected = {"priority": 3 * PAID, "flex": PAID // 2}.get(billed or "", PAID)
    assert call.call().headers[COST] == str(expected)
    assert call.record.cost_nano_usd == expected
