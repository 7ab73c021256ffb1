"""A client that leaves: the provider is stopped within a second, and what was used until then is on record.

Clients leave in two ways, and both count: "fin", the connection closed in order, and "rst", reset as by a crash.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model
from tests.e2e.support.raw import Connection
from tests.e2e.support.scripted import Call, ScriptedUpstream, stream_head
from tests.e2e.support.sim import Cancellation, SimulatedProvider

pytestmark = [pytest.mark.alone, pytest.mark.once]

WITH_USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
HOW = pytest.mark.parametrize("how", ["fin", "rst"])
PATHS = pytest.mark.parametrize("more", [WITH_USAGE, {}], ids=["native", "filtered"])
WITHIN_MS = 1000
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}\n\n'


def leave_when(
    headgate: Headgate, sim: SimulatedProvider, model: str, how: str, *, after: bytes, **fields: Any
) -> tuple[Cancellation, float]:
    """Call a model and leave once `after` has come (at once where that is empty); return what the provider saw, and
    how many milliseconds later.
    """
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, **fields))
        sim.wait_until_active(model)
        if after:
            assert connection.head().status == 200
            connection.body_until(after)
        left_ms = connection.leave(how)
    seen = sim.cancellation(model)
    late_ms = seen.at_ms - left_ms
    assert late_ms < WITHIN_MS
    return seen, late_ms


@HOW
@PATHS
def test_before_the_first_byte(headgate: Headgate, sim: SimulatedProvider, how: str, more: dict[str, Any]) -> None:
    """Leaving while the provider is still thinking stops it; the input is charged, by an estimate."""
    model = sim_model("lat20000")

    seen, _ = leave_when(headgate, sim, model, how, after=b"", stream=True, **more)

    assert seen.phase == "before_first_byte"
    record = headgate.record(model)
    assert record["cause"] == "client_gone_before_first_byte"
    assert record["estimated"]
    assert record["input_tokens"] > 0
    assert record["output_tokens"] == 0
    assert record["first_byte_ms"] is None


@HOW
@PATHS
def test_in_the_middle_of_a_stream(headgate: Headgate, sim: SimulatedProvider, how: str, more: dict[str, Any]) -> None:
    """Leaving a running stream stops the provider; the text delivered until then is charged."""
    model = sim_model("chunks1000-gap20")

    seen, late_ms = leave_when(headgate, sim, model, how, after=b'{"content":"gate: "', stream=True, **more)

    assert seen.phase == "mid_stream"
    record = headgate.record(model)
    assert record["cause"] == "client_gone_mid_stream"
    assert record["status"] == 200
    assert record["estimated"]
    assert_about(record["output_tokens"], seen.tokens_served, on_their_way=1 + int(late_ms / 20))


@HOW
@PATHS
def test_in_a_stream_that_stalls(headgate: Headgate, sim: SimulatedProvider, how: str, more: dict[str, Any]) -> None:
    """Leaving a stream in which nothing moves is noticed as well, although there is nothing to write."""
    model = sim_model("stall9-chunks50")

    seen, _ = leave_when(headgate, sim, model, how, after='{"content":"日本 "'.encode(), stream=True, **more)

    assert seen.phase == "mid_stream"
    assert seen.tokens_served == 9
    record = headgate.record(model)
    assert record["cause"] == "client_gone_mid_stream"
    assert_about(record["output_tokens"], 9)


@HOW
def test_while_a_whole_answer_is_made(headgate: Headgate, sim: SimulatedProvider, how: str) -> None:
    """Leaving a call that is not streamed stops the provider; the input is charged."""
    model = sim_model("lat20000")

    seen, _ = leave_when(headgate, sim, model, how, after=b"")

    assert seen.phase == "non_streaming"
    record = headgate.record(model)
    assert record["cause"] == "client_gone_non_streaming"
    assert record["estimated"]
    assert record["input_tokens"] > 0


@HOW
def test_while_a_whole_answer_stalls_halfway(headgate: Headgate, sim: SimulatedProvider, how: str) -> None:
    """The same when the provider has sent its headers and half of its answer, and then nothing more."""
    model = sim_model("stall3")

    seen, _ = leave_when(headgate, sim, model, how, after=b"")

    assert seen.phase == "non_streaming"
    assert headgate.record(model)["cause"] == "client_gone_non_streaming"


@HOW
def test_while_texts_are_embedded(headgate: Headgate, sim: SimulatedProvider, how: str) -> None:
    """Embeddings are stopped like any other call."""
    model = sim_model("lat20000")
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/embeddings", headgate.key, {"model": model, "input": "some text"})
        sim.wait_until_active(model)
        left_ms = connection.leave(how)

    assert sim.cancellation(model).at_ms - left_ms < WITHIN_MS
    record = headgate.record(model)
    assert (record["endpoint"], record["cause"]) == ("embeddings", "client_gone_non_streaming")


@HOW
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_while_the_provider_trickles_its_headers(
    headgate: Headgate, upstream: ScriptedUpstream, how: str, stream: bool
) -> None:
    """A provider that has sent half of its headers is let go like one that has sent nothing."""

    def script(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/ev")
        call.wait_until_gone()

    model = upstream.plays(script)
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=stream))
        call = upstream.wait_for(model)
        connection.leave(how)
        assert call.gone.wait(WITHIN_MS / 1000)

    expected = "client_gone_before_first_byte" if stream else "client_gone_non_streaming"
    assert headgate.record(model)["cause"] == expected


@HOW
@PATHS
def test_after_half_an_event(headgate: Headgate, upstream: ScriptedUpstream, how: str, more: dict[str, Any]) -> None:
    """A provider that stalls inside an event is let go too; the whole events until then are charged."""

    def script(call: Call) -> None:
        call.send(stream_head() + EVENT * 4 + EVENT[:30])
        call.wait_until_gone()

    model = upstream.plays(script)
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True, **more))
        connection.head()
        connection.body_until(EVENT * 4 + EVENT[:30])
        connection.leave(how)
        assert upstream.wait_for(model).gone.wait(WITHIN_MS / 1000)

    record = headgate.record(model)
    assert record["cause"] == "client_gone_mid_stream"
    assert record["output_tokens"] == 4


@HOW
def test_one_of_several(headgate: Headgate, how: str) -> None:
    """When one client of many leaves, the others' streams go on to their ends."""
    models = [sim_model("chunks80-gap25") for _ in range(6)]
    connections = [Connection(headgate.base_url) for _ in models]
    for connection, model in zip(connections, models, strict=True):
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True))
    heads = [connection.head() for connection in connections]
    for connection in connections[::2]:
        connection.body_until(b'{"content":"the "')
        connection.leave(how)
    for connection, head in list(zip(connections, heads, strict=True))[1::2]:
        assert connection.body(head).endswith(b"data: [DONE]\n\n")
        connection.leave(how)

    for index, model in enumerate(models):
        expected = "finished" if index % 2 else "client_gone_mid_stream"
        assert headgate.record(model)["cause"] == expected


@HOW
def test_after_the_end(headgate: Headgate, sim: SimulatedProvider, how: str) -> None:
    """Leaving once all has been said is no abort."""
    model = sim_model("chunks5")
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True))
        connection.body(connection.head())
        connection.leave(how)

    record = headgate.record(model)
    assert (record["cause"], record["estimated"], record["output_tokens"]) == ("finished", False, 5)
    assert sim.of(model)["cancelled"] == 0


def assert_about(estimated: int, served: int, *, on_their_way: int = 1) -> None:
    """The estimate covers what the provider had sent, but for the chunks that were on their way when the client left,
    and is not twice as much.
    """
    assert served - on_their_way <= estimated <= 2 * served + 2
