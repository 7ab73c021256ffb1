"""Whole answers of any size: handed on as they come, charged by what they tell at their ends, and never a wall."""

from __future__ import annotations

import base64
import hashlib
import json

import httpx
import pytest

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.scripted import Call, ScriptedUpstream

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
TOLD = {"prompt_tokens": 4321, "total_tokens": 4321}


def embeddings(count: int = 2048, dimensions: int = 3072, *, before: bool = False) -> bytes:
    """An answer with vectors in base64, as OpenAI's SDK asks for them."""
    vector = base64.b64encode(hashlib.sha256(b"x").digest() * (dimensions // 8)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    told, rest = {"usage": TOLD}, {"object": "list", "data": data, "model": "m"}
    return json.dumps({**told, **rest} if before else {**rest, **told}).encode()


def ask(headgate: Headgate, model: str) -> httpx.Response:
    return headgate.post("/v1/embeddings", {"model": model, "input": "x"})


@pytest.mark.parametrize("before", [False, True], ids=["usage last", "usage first"])
@pytest.mark.parametrize("announced", [False, True])
def test_embeddings_of_33_mb(headgate: Headgate, upstream: ScriptedUpstream, announced: bool, before: bool) -> None:
    """2,048 texts with 3,072 numbers each, the most that OpenAI gives at once: every byte, and exactly charged."""
    body = embeddings(before=before)
    assert len(body) > 32 * 1024 * 1024
    model = upstream.answers(body) if announced else upstream.plays(lambda call: call.send(HEAD + b"\r\n" + body))

    got = ask(headgate, model)

    assert got.status_code == 200
    assert hashlib.sha256(got.content).digest() == hashlib.sha256(body).digest()
    assert "x-headgate-cost" not in got.headers
    record = headgate.record(model)
    assert (record["cause"], record["estimated"], record["input_tokens"]) == ("finished", False, 4321)


@pytest.mark.parametrize("count", [1, 2, 30, 60, 100])
@pytest.mark.parametrize("announced", [False, True])
def test_answers_around_what_is_held(
    headgate: Headgate, upstream: ScriptedUpstream, announced: bool, count: int
) -> None:
    """In one read, in several, or handed on: the same bytes and the same charge."""
    body = embeddings(count)
    model = upstream.answers(body) if announced else upstream.plays(lambda call: call.send(HEAD + b"\r\n" + body))

    got = ask(headgate, model)

    assert (got.status_code, got.content == body) == (200, True)
    assert headgate.record(model)["input_tokens"] == 4321


def test_a_client_that_leaves_a_large_answer(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """The provider is stopped, and what is known is charged."""
    body = embeddings()

    def play(call: Call) -> None:
        call.send(HEAD + b"\r\n" + body[:8_000_000])
        call.wait_until_gone()

    model = upstream.plays(play)
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/embeddings", headgate.key, {"model": model, "input": "x"})
        connection.head()
        connection.leave("rst")

    call = upstream.wait_for(model)
    until(call.gone.is_set, "the provider is stopped")
    record = headgate.record(model)
    assert (record["cause"], record["estimated"], record["output_tokens"]) == ("client_gone_non_streaming", True, 0)


@pytest.mark.parametrize("usage_wanted", [None, False, True], ids=["whole", "stream", "stream with usage"])
def test_a_server_that_shows_what_it_was_sent(
    headgate: Headgate, upstream: ScriptedUpstream, usage_wanted: bool | None
) -> None:
    """Its answers with status 200 do not show the deployment's key, though it be split between two reads."""
    echo = json.dumps({"choices": [], "headers": {"authorization": f"Bearer {PROVIDER_KEY}"}}).encode()
    error = json.dumps({"error": {"message": f"bad key {PROVIDER_KEY}"}}).encode()
    streamed = usage_wanted is not None
    body = b"data: %s\n\ndata: %s\n\n" % (echo, error) if streamed else echo
    kind = b"text/event-stream" if streamed else b"application/json"

    def play(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nconnection: close\r\n\r\n" % kind)
        for place in range(0, len(body), 60):
            call.send(body[place : place + 60])
            call.gone.wait(0.03)

    options = {"stream_options": {"include_usage": True}} if usage_wanted else {}
    got = headgate.chat(upstream.plays(play), stream=streamed, **options)

    assert got.status_code == 200
    assert "Bearer [redacted]" in got.text
    assert PROVIDER_KEY[:10] not in got.text
    assert PROVIDER_KEY[-10:] not in got.text
