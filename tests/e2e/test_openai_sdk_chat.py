"""Chat completions with OpenAI's own Python SDK, which checks every answer against OpenAI's types."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Literal

import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.sim import SimulatedProvider

pytestmark = pytest.mark.once

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["place", "days"],
        },
    },
}


def said(chunks: list[ChatCompletionChunk], choice: int = 0) -> str:
    """The text of one choice of a stream."""
    return "".join(item.delta.content or "" for chunk in chunks for item in chunk.choices if item.index == choice)


def test_a_whole_answer(headgate: Headgate, sim: SimulatedProvider) -> None:
    """A completion has the provider's text, reason to finish, usage and request id."""
    with headgate.openai() as client:
        completion = client.chat.completions.create(model=sim_model("chunks7"), messages=HELLO)

    [choice] = completion.choices
    assert choice.message.content == sim.text(7)
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 7
    assert completion._request_id


def test_a_stream(headgate: Headgate, sim: SimulatedProvider) -> None:
    """A streamed completion is the same text in pieces, and ends with a reason to finish."""
    with headgate.openai() as client:
        chunks = list(client.chat.completions.create(model=sim_model("chunks30"), messages=HELLO, stream=True))

    assert said(chunks) == sim.text(30)
    assert len([chunk for chunk in chunks if said([chunk])]) == 30
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_tells_its_usage_only_when_asked(headgate: Headgate) -> None:
    """With `include_usage` the last chunk has the usage and no choices; without it every chunk has a choice."""
    model = sim_model("chunks4")
    with headgate.openai() as client:
        asked = list(
            client.chat.completions.create(
                model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
            )
        )
        unasked = list(client.chat.completions.create(model=model, messages=HELLO, stream=True))
        declined = list(
            client.chat.completions.create(
                model=model, messages=HELLO, stream=True, stream_options={"include_usage": False}
            )
        )

    assert asked[-1].choices == []
    assert asked[-1].usage is not None
    assert asked[-1].usage.completion_tokens == 4
    for chunks in (unasked, declined):
        assert len(chunks) == len(asked) - 1
        assert all(chunk.choices for chunk in chunks)
        assert all(chunk.usage is None for chunk in chunks)


def test_a_tool_call(headgate: Headgate) -> None:
    """The model can call a function that the client offers, and the client can answer with its result."""
    model = sim_model("tools-chunks6")
    with headgate.openai() as client:
        completion = client.chat.completions.create(model=model, messages=HELLO, tools=[WEATHER])
        [choice] = completion.choices
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        assert choice.message.tool_calls is not None
        [call] = choice.message.tool_calls
        assert call.type == "function"
        assert call.function.name == "weather"
        assert json.loads(call.function.arguments) == {"place": "Paris", "days": 1}

        result: list[ChatCompletionMessageParam] = [
            *HELLO,
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
        ]
        after = client.chat.completions.create(model=model, messages=result, tools=[WEATHER])

    assert after.choices[0].finish_reason == "stop"
    assert after.choices[0].message.content


class Forecast(BaseModel):
    """What a program wants to be told."""

    place: str
    days: list[date]
    wind: Literal["calm", "storm"] | None


@pytest.mark.parametrize("stream", [False, True])
def test_structured_output(headgate: Headgate, stream: bool) -> None:
    """The SDK's `parse` and `stream` give the program's own type."""
    asked: dict[str, Any] = {"model": sim_model("chunks9"), "messages": HELLO, "response_format": Forecast}
    with headgate.openai() as client:
        if stream:
            with client.chat.completions.stream(**asked) as events:
                completion = events.get_final_completion()
        else:
            completion = client.chat.completions.parse(**asked)
    assert completion.choices[0].message.parsed == Forecast(place="Paris", days=[date(2026, 1, 2)], wind="calm")


def test_a_tool_that_must_be_called(headgate: Headgate) -> None:
    """By any simulated model, as by OpenAI's."""
    with headgate.openai() as client:
        completion = client.chat.completions.create(
            model=sim_model(), messages=HELLO, tools=[WEATHER], tool_choice="required"
        )
    [call] = completion.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"place": "Paris", "days": 1}


def test_a_streamed_tool_call(headgate: Headgate) -> None:
    """A function's arguments come in fragments that make valid JSON together."""
    with (
        headgate.openai() as client,
        client.chat.completions.stream(model=sim_model("tools-chunks6"), messages=HELLO, tools=[WEATHER]) as stream,
    ):
        fragments = [event.arguments_delta for event in stream if event.type == "tool_calls.function.arguments.delta"]
        completion = stream.get_final_completion()

    assert len([fragment for fragment in fragments if fragment]) == 6
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    [call] = choice.message.tool_calls
    assert json.loads(call.function.arguments) == {"place": "Paris", "days": 1}


@pytest.mark.parametrize("more", [{}, {"stream_options": {"include_usage": True}}], ids=["plain", "with usage"])
def test_several_choices(headgate: Headgate, sim: SimulatedProvider, more: dict[str, Any]) -> None:
    """`n` choices come side by side, whole and streamed."""
    model = sim_model("chunks5")
    with headgate.openai() as client:
        whole = client.chat.completions.create(model=model, messages=HELLO, n=2)
        chunks = list(client.chat.completions.create(model=model, messages=HELLO, n=2, stream=True, **more))

    assert [choice.index for choice in whole.choices] == [0, 1]
    assert [choice.message.content for choice in whole.choices] == [sim.text(5)] * 2
    assert [said(chunks, choice) for choice in (0, 1)] == [sim.text(5)] * 2
    finished = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert finished == [0, 1]


def test_a_limit_on_the_answer(headgate: Headgate, sim: SimulatedProvider) -> None:
    """`max_tokens` reaches the provider, and the reason to finish says that it was met."""
    with headgate.openai() as client:
        completion = client.chat.completions.create(model=sim_model("chunks50"), messages=HELLO, max_tokens=3)

    assert completion.choices[0].message.content == sim.text(3)
    assert completion.choices[0].finish_reason == "length"
