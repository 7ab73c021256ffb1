"""A stream's pace: nothing is held back for one client, and a slow one loses nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model
from tests.e2e.support.raw import Connection, post_bytes
from tests.e2e.support.scripted import Call, ScriptedUpstream, stream_head
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.sse import DONE, content, payloads

pytestmark = [pytest.mark.alone, pytest.mark.once]

WITH_USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
PATHS = pytest.mark.parametrize("more", [WITH_USAGE, {}], ids=["native", "filtered"])
SLOW_PIECES = 40
EVENTS = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n' * 300
MUCH = 64 * 1024 * 1024  # more than all buffers of the kernel on the way


@PATHS
def test_the_first_byte_is_not_held_back(headgate: Headgate, sim: SimulatedProvider, more: dict[str, Any]) -> None:
    """A chunk reaches the client before the provider makes the next one, also when what was kept has been read."""
    model = sim_model("lat50-gap1500-chunks9")
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True, **more))
        assert connection.head().status == 200
        for made in (1, 2, 3):
            connection.body_until(b'"delta":{"content":')
            assert sim.of(model)["completion_tokens"] == made


@PATHS
def test_the_head_does_not_wait_for_the_body(
    headgate: Headgate, upstream: ScriptedUpstream, more: dict[str, Any]
) -> None:
    """Status and headers go out as soon as the provider has sent its own, before any event."""
    wanted = threading.Event()

    def script(call: Call) -> None:
        call.send(stream_head())
        assert wanted.wait(20)
        call.send(b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')

    model = upstream.plays(script)
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True, **more))
        head = connection.head()
        wanted.set()
        assert head.status == 200
        assert payloads(connection.body(head))[-1] == DONE


@PATHS
def test_a_slow_reader_gets_everything(headgate: Headgate, sim: SimulatedProvider, more: dict[str, Any]) -> None:
    """A client that takes a few kilobytes a second of a stream of megabytes loses nothing of it."""
    chunks = 20_000
    with Connection(headgate.base_url, receive_buffer=4096, timeout=60) as connection:
        connection.post(
            "/v1/chat/completions", headgate.key, chat_body(sim_model(f"chunks{chunks}"), stream=True, **more)
        )
        head = connection.head()
        body = b""
        for _ in range(SLOW_PIECES):
            time.sleep(0.05)  # the slowness itself; nothing is waited for
            body += connection.chunk()
        body += connection.body(head)

    assert content(body) == sim.text(chunks)
    assert payloads(body)[-1] == DONE


@PATHS
def test_a_client_that_does_not_read_stops_its_provider(
    headgate: Headgate, upstream: ScriptedUpstream, more: dict[str, Any]
) -> None:
    """Nothing on the way takes what the client does not: the provider can't send all it has."""
    stopped = threading.Event()
    sent = 0

    def script(call: Call) -> None:
        nonlocal sent
        call.send(stream_head())
        call.connection.settimeout(2)
        try:
            while sent < MUCH:
                sent += call.connection.send(EVENTS)
        except TimeoutError:
            stopped.set()

    model = upstream.plays(script)
    with Connection(headgate.base_url, receive_buffer=4096) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True, **more))
        assert connection.head().status == 200
        assert stopped.wait(30), f"{sent} bytes were taken"


def test_many_streams_at_once(headgate: Headgate, sim: SimulatedProvider) -> None:
    """Twenty streams side by side each get their own text, and none waits for another."""
    models = [sim_model(f"gap50-chunks{20 + index}") for index in range(20)]

    async def stream(client: httpx.AsyncClient, index: int) -> bytes:
        fields = WITH_USAGE if index % 2 else {}
        body = chat_body(models[index], stream=True, **fields)
        headers = {"authorization": f"Bearer {headgate.key}"}
        answer = await client.post(f"{headgate.base_url}/v1/chat/completions", json=body, headers=headers)
        return answer.content

    async def run() -> list[bytes]:
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=20)) as client:
            return await asyncio.gather(*(stream(client, index) for index in range(20)))

    texts = asyncio.run(run())

    assert [content(text) for text in texts] == [sim.text(20 + index) for index in range(20)]
    assert len({payloads(text)[0]["id"] for text in texts}) == 20
    assert sim.stats()["highest_concurrency"] >= 20


def test_pipelined_requests(headgate: Headgate, sim: SimulatedProvider) -> None:
    """Requests that are sent at once on one connection are answered in their order."""
    wanted = [("chunks3", True), ("chunks4", False), ("chunks5", True), ("err429", False), ("chunks6", False)]
    with Connection(headgate.base_url) as connection:
        bodies = [chat_body(sim_model(words), stream=stream) for words, stream in wanted]
        connection.send(
            b"".join(post_bytes("/v1/chat/completions", connection.host, headgate.key, body) for body in bodies)
        )
        answers = []
        for _ in bodies:
            head = connection.head()
            answers.append((head.status, connection.body(head)))

    assert [status for status, _ in answers] == [200, 200, 200, 429, 200]
    assert content(answers[0][1]) == sim.text(3)
    assert sim.text(4).split()[0].encode() in answers[1][1]
    assert content(answers[2][1]) == sim.text(5)


def test_a_connection_is_used_again(headgate: Headgate, sim: SimulatedProvider) -> None:
    """After a stream, an error or a whole answer the connection takes the next request."""
    with Connection(headgate.base_url) as connection:
        for words, stream in (("chunks3", True), ("late2", True), ("chunks3", False), ("err500", False)):
            connection.post("/v1/chat/completions", headgate.key, chat_body(sim_model(words), stream=stream))
            head = connection.head()
            assert head.status == (500 if words == "err500" else 200)
            connection.body(head)
        connection.post("/v1/chat/completions", headgate.key, chat_body(sim_model("chunks4"), stream=True))
        assert content(connection.body(connection.head())) == sim.text(4)


def test_stalled_streams_hold_up_nobody(headgate: Headgate) -> None:
    """While streams hang, other requests are answered."""
    with Connection(headgate.base_url) as first, Connection(headgate.base_url) as second:
        for connection, more in ((first, WITH_USAGE), (second, {})):
            connection.post("/v1/chat/completions", headgate.key, chat_body(sim_model("stall2"), stream=True, **more))
            assert connection.head().status == 200
        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda _: headgate.chat(sim_model("chunks20"), stream=True), range(5)))

    assert [payloads(answer.content)[-1] for answer in answers] == [DONE] * 5
