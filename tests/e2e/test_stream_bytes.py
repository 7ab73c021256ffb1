"""A stream's bytes: what the provider sends is what the client gets, whatever they are cut into."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.scripted import Call, ScriptedUpstream, stream_head
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.sse import DONE, content, events, is_usage_event, payloads, without_serials

pytestmark = pytest.mark.once

WITH_USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
# The texts hold characters of two to four bytes, a line separator, JSON escapes and "[DONE]".
SHAPES = [
    "chunks50",
    "chunks12-split1",
    "chunks50-split7",
    "chunks50-ping",
    "chunks20-each",
    "chunks0",
    "chunks1-split2",
]


@pytest.mark.parametrize("words", [*SHAPES, "chunks30-nousage"])
def test_a_stream_with_usage_is_untouched(headgate: Headgate, sim: SimulatedProvider, words: str) -> None:
    """Where the client asks for usage, the answer is the provider's, byte by byte."""
    model = sim_model(words)
    direct = sim.chat_bytes(model, stream=True, **WITH_USAGE)

    answer = headgate.chat(model, stream=True, **WITH_USAGE)

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert without_serials(answer.content) == without_serials(direct)


@pytest.mark.parametrize("words", SHAPES)
def test_a_stream_without_usage_lacks_that_one_event(headgate: Headgate, sim: SimulatedProvider, words: str) -> None:
    """Where the client does not ask, the usage event is taken out, and every other byte is the provider's."""
    model = sim_model(words)
    direct = sim.chat_bytes(model, stream=True, **WITH_USAGE)
    expected = b"".join(event for event in events(direct) if not is_usage_event(event))
    assert expected != direct

    answer = headgate.chat(model, stream=True)

    assert without_serials(answer.content) == without_serials(expected)


def test_a_whole_answer_is_untouched(headgate: Headgate, sim: SimulatedProvider) -> None:
    """An answer that is not streamed is the provider's, byte by byte."""
    model = sim_model("chunks50-split7")

    assert without_serials(headgate.chat(model).content) == without_serials(sim.chat_bytes(model))


@pytest.mark.parametrize("more", [WITH_USAGE, {}], ids=["native", "filtered"])
def test_a_long_stream(headgate: Headgate, sim: SimulatedProvider, more: dict[str, Any]) -> None:
    """A stream of 2,000 chunks arrives whole and in order."""
    answer = headgate.chat(sim_model("chunks2000"), stream=True, **more)

    assert content(answer.content) == sim.text(2000)
    assert payloads(answer.content)[-1] == DONE


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"], ids=["CR LF", "CR"])
@pytest.mark.parametrize("size", [1, 5, 100_000], ids=["bytewise", "in fives", "at once"])
def test_other_line_ends(headgate: Headgate, upstream: ScriptedUpstream, line_end: bytes, size: int) -> None:
    """A provider may end its lines in any of the three ways of the standard; the usage event is found all the same."""
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
    before = b'event: chunk\ndata: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason": "stop"}]}\n\n'
    done = b"data: [DONE]\n\n"
    stream = (before + usage + done).replace(b"\n", line_end)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]

    def script(call: Call) -> None:
        call.send(stream_head())
        for piece in pieces:
            call.send(piece)

    model = upstream.plays(script)

    answer = headgate.chat(model, stream=True)

    assert answer.content == (before + done).replace(b"\n", line_end)
    assert headgate.record(model)["output_tokens"] == 2


def test_usage_beside_the_last_choice(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Some providers tell the usage in the chunk that finishes: it is counted, and taken out of it."""
    told = b',"usage":{"prompt_tokens":7,"completion_tokens":3}'
    stream = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]%s}\n\ndata: [DONE]\n\n' % told
    )
    model = upstream.answers(stream, content_type="text/event-stream")

    assert headgate.chat(model, stream=True).content == stream.replace(told, b"")
    record = headgate.record(model)
    assert (record["input_tokens"], record["output_tokens"], record["estimated"]) == (7, 3, False)


def test_an_event_without_choices_that_tells_no_usage(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Only the usage event is taken out: an empty list of choices alone, as content filters send it, passes."""
    stream = (
        b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"\\"usage\\": {}"},"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":null,"x_late":true}\n\ndata: [DONE]\n\n'
    )
    model = upstream.answers(stream, content_type="text/event-stream")

    assert headgate.chat(model, stream=True).content == stream


def test_a_provider_that_does_not_stream(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """A provider that answers a wish for a stream with a whole completion is passed on as it is."""
    whole = b'{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    model = upstream.answers(whole)

    answer = headgate.chat(model, stream=True)

    assert answer.headers["content-type"] == "application/json"
    assert answer.content == whole
    assert headgate.record(model)["output_tokens"] == 1


def test_a_compressed_answer(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """A provider that compresses although it was asked not to is understood, and its usage read."""
    body = b'{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":4}}'
    model = upstream.answers(gzip.compress(body), more="content-encoding: gzip\r\n")

    answer = headgate.chat(model)

    assert answer.content == body
    assert headgate.record(model)["output_tokens"] == 4
