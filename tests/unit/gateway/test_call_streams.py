"""A streamed call: what the client gets, how the stream ends, and what is charged for it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.streams.upstream import StreamEnd
from lib.ledger.usage import Cause
from tests.unit.gateway.calls import INPUT_ESTIMATE, Calling
from tests.unit.gateway.fake_upstream import EVENTS, FakeAnswer
from tests.unit.gateway.sse_reference import dispatched
from tests.unit.strategies import PLACES, cut

USAGE = {"prompt_tokens": 10, "completion_tokens": 20}


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(text: str, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


TEXT = b"".join(delta(f"word {number} ") for number in range(5))
FINISH, TOLD, DONE = delta("", "stop"), event({"choices": [], "usage": USAGE}), b"data: [DONE]\n\n"
STREAM = TEXT + FINISH + TOLD + DONE


def streaming(
    text: bytes,
    how: StreamEnd = StreamEnd.PROVIDER_DONE,
    places: Sequence[int] = (),
    *,
    wants_usage: bool = False,
) -> Calling:
    answer = FakeAnswer(headers=EVENTS, pieces=cut(text, list(places)), how=how)
    return Calling(answer, streamed=True, wants_usage=wants_usage)


def errors(sent: bytes) -> list[str]:
    """Return the codes of the error events that a client sees."""
    found = [json.loads(text) for text in dispatched(sent) if text != "[DONE]"]
    return [value["error"]["code"] for value in found if "error" in value]


@given(PLACES)
def test_a_stream_that_asked_for_usage_is_untouched(places: list[int]) -> None:
    """Byte for byte, whatever the reads were."""
    caller = streaming(STREAM, places=places, wants_usage=True)
    assert caller.call().sent == STREAM


@given(PLACES)
def test_one_that_did_not_gets_all_but_the_usage(places: list[int]) -> None:
    """Which is charged all the same."""
    caller = streaming(STREAM, places=places)
    assert caller.call().sent == TEXT + FINISH + DONE
    record = caller.record
    assert (record.cause, record.estimated, record.output_tokens) == ("finished", False, 20)
    assert record.cost_nano_usd == 10 * 100 + 20 * 400


@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize(
    ("how", "cause", "code"),
    [
        (StreamEnd.PROVIDER_BROKE_OFF, Cause.UPSTREAM_BROKE_OFF, "upstream_broke_off"),
        (StreamEnd.PROVIDER_DONE, Cause.UPSTREAM_BROKE_OFF, "upstream_broke_off"),
        (StreamEnd.TIMEOUT, Cause.UPSTREAM_TIMEOUT, "upstream_timeout"),
    ],
)
@given(end=st.integers(0, len(TEXT) - 1), places=PLACES)
def test_a_stream_that_stops_short_ends_in_one_error_event(
    how: StreamEnd, cause: Cause, code: str, wants_usage: bool, end: int, places: list[int]
) -> None:
    """At whatever byte: never a clean end, never a second answer. What was said is charged as an estimate."""
    caller = streaming(TEXT[:end], how, places, wants_usage=wants_usage)
    outcome = caller.call()
    assert errors(outcome.sent) == [code]
    assert "error" in dispatched(outcome.sent)[-1]
    record = caller.record
    assert (record.cause, record.status, record.estimated) == (cause, 200, True)
    assert record.input_tokens == INPUT_ESTIMATE
    said = sum(len(json.loads(text)["choices"][0]["delta"]["content"]) for text in dispatched(TEXT[:end]))
    assert record.output_tokens * 4 >= said


@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("how", [StreamEnd.PROVIDER_BROKE_OFF, StreamEnd.TIMEOUT])
@given(end=st.integers(len(TEXT), len(STREAM) - 1), places=PLACES)
def test_a_break_among_the_last_events_is_told_too(
    how: StreamEnd, wants_usage: bool, end: int, places: list[int]
) -> None:
    """Where events are held back, the error fits what the client has, and the usage event stays out of its sight."""
    outcome = streaming(STREAM[:end], how, places, wants_usage=wants_usage).call()
    assert dispatched(outcome.sent)[-1] == "[DONE]" or len(errors(outcome.sent)) == 1
    if not wants_usage:
        assert b"prompt_tokens" not in outcome.sent


@pytest.mark.parametrize("wants_usage", [False, True])
@given(end=st.integers(0, len(STREAM)))
def test_a_client_that_leaves_is_charged_for_what_was_said(wants_usage: bool, end: int) -> None:
    """Nothing more is sent to it, and the record tells why it ended."""
    caller = streaming(STREAM[:end], StreamEnd.CLIENT_GONE, wants_usage=wants_usage)
    outcome = caller.call()
    assert errors(outcome.sent) == []
    assert isinstance(caller.answer, FakeAnswer)
    assert caller.answer.relayed is not None
    assert caller.answer.relayed.last == b""
    assert caller.record.cause == Cause.CLIENT_GONE_MID_STREAM
    assert caller.record.estimated is (end < len((TEXT + FINISH + TOLD).rstrip()))


def test_a_call_that_is_thrown_away_is_left_to_the_next() -> None:
    """The platform may end the request of a client that has left. What was read until then is charged."""
    caller = streaming(TEXT, StreamEnd.CLIENT_GONE)
    caller.throw_away()
    [record], [(opened, _)] = caller.gates.left, caller.gates.opened
    assert (record.id, record.cause, record.estimated) == (opened.id, Cause.CLIENT_GONE_MID_STREAM, True)
    assert record.output_tokens > 0
    assert caller.gates.settled == []


def test_an_error_event_of_the_providers_own_is_the_last_word() -> None:
    """Ours does not follow it; the record says that it broke off."""
    own = event({"error": {"message": "overloaded", "code": "server_overloaded"}})
    for text in (TEXT + own, TEXT + own + DONE, delta("") + own):
        caller = streaming(text, wants_usage=True)
        assert caller.call().sent == text
        assert (caller.record.cause, caller.record.estimated) == (Cause.UPSTREAM_BROKE_OFF, True)


@pytest.mark.parametrize("text", [TEXT + FINISH, TEXT + FINISH + TOLD, TEXT + DONE, TEXT + FINISH + DONE])
def test_a_stream_that_said_all_ends_cleanly(text: bytes) -> None:
    """An end mark or a reason to finish is enough: not every provider sends both."""
    caller = streaming(text)
    outcome = caller.call()
    assert errors(outcome.sent) == []
    assert caller.record.cause == Cause.FINISHED
    assert caller.record.estimated is (TOLD not in text)


def test_a_connection_that_breaks_behind_the_end_is_an_error_all_the_same() -> None:
    """The client has all of the text, and may ignore it; the record tells what happened, with the provider's usage."""
    caller = streaming(STREAM, StreamEnd.PROVIDER_BROKE_OFF, wants_usage=True)
    outcome = caller.call()
    assert outcome.sent.startswith(STREAM)
    assert (caller.record.output_tokens, caller.record.estimated) == (20, False)


def test_an_empty_stream_is_an_error() -> None:
    """Not an answer of nothing."""
    caller = streaming(b"")
    assert errors(caller.call().sent) == ["upstream_broke_off"]
    assert caller.record.output_tokens == 0


@pytest.mark.parametrize("kind", ["text/event-stream", "text/event-stream; charset=utf-8", "Text/Event-Stream"])
def test_a_stream_is_known_by_its_content_type(kind: str) -> None:
    """Media types are case-insensitive (RFC 9110, 8.3.1); a stream that is not seen as one is held until its end."""
    answer = FakeAnswer(headers={"content-type": kind}, pieces=[STREAM])
    assert Calling(answer, streamed=True).call().sent == TEXT + FINISH + DONE
    assert answer.relayed is not None


def test_a_stream_that_nobody_asked_for_is_handed_on_whole() -> None:
    """The provider is odd; the client gets what it sent, and is charged by the usage in it."""
    caller = Calling(FakeAnswer(headers=EVENTS, pieces=[STREAM]))
    assert caller.call().sent == STREAM
    assert (caller.record.cause, caller.record.estimated, caller.record.output_tokens) == (Cause.FINISHED, False, 20)


def test_the_stream_runs_once() -> None:
    """Settling waits for its end, and does not start it again."""
    answer = FakeAnswer(headers=EVENTS, pieces=[STREAM])
    Calling(answer, streamed=True).call()
    assert answer.relayed is not None
    assert answer.relayed.runs == 1
