"""A provider that fails in the middle of a stream: the client gets one error event, and never a clean end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.scripted import Call, ScriptedUpstream, stream_head
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.sse import DONE, content, payloads

# The store is asked for nothing but the caller.
pytestmark = pytest.mark.once

WITH_USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
PATHS = pytest.mark.parametrize("more", [WITH_USAGE, {}], ids=["native", "filtered"])
FAILURES = ["late5", "late0", "late1-split1", "cut5", "cut0", "cut1-split7", "cut3-split1", "cut4-ping", "late9-each"]


@PATHS
@pytest.mark.parametrize("words", FAILURES)
def test_a_failing_stream_ends_in_one_error_event(
    headgate: Headgate, sim: SimulatedProvider, words: str, more: dict[str, Any]
) -> None:
    """Every event stays valid JSON, the last and only that one is an error, and the text before it is whole."""
    model = sim_model(f"{words}-chunks20")
    served = int("".join(filter(str.isdigit, words.partition("-")[0])))

    answer = headgate.chat(model, stream=True, **more)

    assert answer.status_code == 200
    found = payloads(answer.content)
    assert DONE not in found
    assert [index for index, payload in enumerate(found) if "error" in payload] == [len(found) - 1]
    assert found[-1]["error"]["message"]
    assert content(answer.content).startswith(sim.text(served))
    record = headgate.record(model)
    assert (record["cause"], record["status"], record["estimated"]) == ("upstream_broke_off", 200, True)
    assert served <= record["output_tokens"] <= 2 * served + 2


STREAM = (
    'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"→ \\"q\\\\ué😀 [DONE]"},'
    '"finish_reason":null,"n":[1.5e-3,-0,true,null,{}]}]}\n\n: ping\n\nevent: chunk\n'
    'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
).encode()
SAID = STREAM.index(b'"stop"}]}') + len(b'"stop"}]}\n\n')  # from here on only the usage and the end mark are missing
FINISHED = STREAM.index(b"data: [DONE]")
IN_THE_TEXT = STREAM.index(b"[DONE]") + len(b"[DONE]")
PLACES = sorted({*range(0, len(STREAM), 3), IN_THE_TEXT, SAID, FINISHED})


def ways_to_cut(place: int) -> Iterator[tuple[str, list[bytes]]]:
    """The provider's bytes when it stops after `place` bytes: ended as if all were said, or plainly broken off."""
    head = stream_head().replace(b"connection: close", b"transfer-encoding: chunked")
    yield "clean", [stream_head(), STREAM[:place]]
    yield "broken", [head, b"%x\r\n" % len(STREAM), STREAM[:place]]


@PATHS
def test_a_stream_that_stops_at_any_byte(headgate: Headgate, upstream: ScriptedUpstream, more: dict[str, Any]) -> None:
    """Wherever a provider stops, inside a character, an escape or a number, what the client gets is well formed."""

    def play(pieces: list[bytes]) -> bytes:
        def script(call: Call) -> None:
            call.send(b"".join(pieces))

        return headgate.chat(upstream.plays(script), stream=True, **more).content

    cuts = [(place, *way) for place in PLACES for way in ways_to_cut(place)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda cut: play(cut[2]), cuts))

    found = [
        f"{way} after {STREAM[max(0, place - 30) : place]!r}: {problem}: {answer[-200:]!r}"
        for (place, way, _), answer in zip(cuts, answers, strict=True)
        if (problem := problem_of(place, way, answer))
    ]
    assert not found, "\n".join(found)


def problem_of(place: int, way: str, answer: bytes) -> str | None:
    """What is wrong with the answer to a stream that stopped at `place`, or None."""
    if place and not answer.endswith(b"\n\n"):
        return "it ends inside an event"
    try:
        found = payloads(answer)
    except ValueError:
        return "an event is no JSON"
    errors = [index for index, payload in enumerate(found) if payload != DONE and "error" in payload]
    if errors and (errors != [len(found) - 1] or DONE in found):
        return "the error is not the one end"
    said_all = place >= SAID and (way == "clean" or place >= FINISHED)
    return None if errors or said_all else "it looks complete"


@PATHS
def test_one_of_two_choices_is_missing(headgate: Headgate, upstream: ScriptedUpstream, more: dict[str, Any]) -> None:
    """A stream in which one choice finished and another did not is not complete."""
    stream = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
        b'data: {"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    )
    model = upstream.plays(lambda call: call.send(stream_head() + stream))

    found = payloads(headgate.chat(model, stream=True, n=2, **more).content)

    assert found[-1].get("error")
    assert headgate.record(model)["cause"] == "upstream_broke_off"


def test_a_whole_answer_that_breaks_off(headgate: Headgate) -> None:
    """Half of an answer that is not streamed never reaches the client: it is a 502."""
    model = sim_model("cut3")

    answer = headgate.chat(model)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_error"
    assert headgate.record(model)["cause"] in {"upstream_broke_off", "upstream_unreachable"}


def test_an_error_event_of_the_provider(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """It is handed on as it is, and nothing is added to it. One that comes before anything was said costs nothing."""
    stream = b'data: {"choices":[]}\n\ndata: {"error":{"message":"overloaded","type":"server_error","code":"x"}}\n\n'
    model = upstream.answers(stream, content_type="text/event-stream")

    assert headgate.chat(model, stream=True).content == stream
    assert headgate.record(model)["cause"] == "upstream_refused"
