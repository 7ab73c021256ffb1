"""OpenAI's own Python SDK in its asyncio form."""

from __future__ import annotations

import asyncio

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.sim import SimulatedProvider

pytestmark = pytest.mark.once

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


def test_many_at_once(headgate: Headgate, sim: SimulatedProvider) -> None:
    """Streams, whole answers and embeddings run side by side on one client."""

    async def stream(client: openai.AsyncOpenAI, chunks: int) -> str:
        answer = await client.chat.completions.create(model=sim_model(f"chunks{chunks}"), messages=HELLO, stream=True)
        return "".join([choice.delta.content or "" async for chunk in answer for choice in chunk.choices])

    async def whole(client: openai.AsyncOpenAI, chunks: int) -> str:
        answer = await client.chat.completions.create(model=sim_model(f"chunks{chunks}"), messages=HELLO)
        return answer.choices[0].message.content or ""

    async def embed(client: openai.AsyncOpenAI) -> int:
        answer = await client.embeddings.create(model=sim_model(), input=["a", "b"], encoding_format="float")
        return len(answer.data)

    async def run() -> tuple[list[str], list[str], list[int]]:
        async with headgate.async_openai() as client:
            return await asyncio.gather(
                asyncio.gather(*(stream(client, chunks) for chunks in range(1, 6))),
                asyncio.gather(*(whole(client, chunks) for chunks in range(1, 6))),
                asyncio.gather(*(embed(client) for _ in range(5))),
            )

    streams, answers, embeddings = asyncio.run(run())

    assert streams == answers == [sim.text(chunks) for chunks in range(1, 6)]
    assert embeddings == [2] * 5


async def read(stream: openai.AsyncStream[ChatCompletionChunk], texts: list[str]) -> None:
    """Collect the texts of a stream until it ends or breaks."""
    async for chunk in stream:
        texts.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - a list of all would be lost in the error


def test_errors(headgate: Headgate) -> None:
    """Errors before and in the middle of a stream raise the same classes as in the synchronous client."""

    async def run() -> int:
        async with headgate.async_openai() as client:
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(model=sim_model("err429"), messages=HELLO, stream=True)
            stream = await client.chat.completions.create(model=sim_model("cut3-chunks9"), messages=HELLO, stream=True)
            seen: list[str] = []
            with pytest.raises(openai.APIError):
                await read(stream, seen)
            return len([text for text in seen if text])

    assert asyncio.run(run()) == 3


def test_a_client_that_stops_reading(headgate: Headgate, sim: SimulatedProvider) -> None:
    """Closing a stream of the SDK early stops the provider."""
    model = sim_model("chunks1000-gap20")

    async def run() -> None:
        async with headgate.async_openai() as client:
            stream = await client.chat.completions.create(model=model, messages=HELLO, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            await stream.close()

    asyncio.run(run())

    assert sim.cancellation(model).tokens_served < 500
