"""What real providers answered in OpenAI's chat format: the usage is read, and a client that did not ask sees none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.gateway.formats.openai.chat_answer import completion, output_estimate, usage_of_answer, usage_of_stream
from lib.gateway.models import Completion
from lib.ledger.usage import Usage
from tests.unit.gateway.streams.test_usage_sieve import sifting
from tests.vectors import captured

# Input, output, from a cache, reasoning: what each provider bills, by its own documentation.
STREAMS = {
    "alibaba/alibaba-reasoning": (24, 1355, 0, 1084),
    "alibaba/alibaba-text": (18, 779, 0, 0),
    "alibaba/alibaba-tool-call": (295, 22, 0, 0),
    "deepseek/deepseek-reasoning": (18, 219, 0, 205),
    "deepseek/deepseek-text": (13, 400, 0, 0),
    "groq/groq-tool-call": (210, 15, 0, 0),
    "mistral/mistral-incremental-tool-call": (171, 14, 128, 0),
    "mistral/mistral-reasoning": (10, 46, 0, 0),
    "mistral/mistral-text": (13, 8, 0, 0),
    "mistral/mistral-tool-call": (124, 22, 0, 0),
    "openai-compatible/xai-text": (12, 342, 11, 340),
    "openai-compatible/xai-tool-call": (307, 253, 306, 227),
    "openai/openai-text": (16, 300, 0, 0),
    "perplexity/perplexity-citations": (10, 336, 0, 0),
    "xai/xai-text": (12, 291, 11, 290),
    "xai/xai-tool-call": (291, 222, 290, 196),
}
RUNNING = "perplexity/perplexity-citations"  # tells the usage with each event


@pytest.fixture(scope="module")
def streams() -> dict[str, list[bytes]]:
    """The data of each event, by the stream's name."""
    found = {name.removesuffix(".chunks.txt"): text.split(b"\n") for name, text in captured(".chunks.txt").items()}
    assert set(found) == set(STREAMS)
    return {name: [line.strip() for line in lines if line.strip()] for name, lines in found.items()}


def framed(lines: list[bytes], line_end: bytes = b"\n") -> bytes:
    return b"".join(b"data: " + line + line_end * 2 for line in lines)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_tells_its_usage_and_that_it_is_whole(
    name: str, line_end: bytes, streams: dict[str, list[bytes]]
) -> None:
    """With an end mark or without; and broken off before its last event, it is estimated, and not told."""
    text = framed(streams[name], line_end)
    total, output, cached, reasoning = STREAMS[name]
    assert usage_of_stream(text) == Usage(total, output, cached_input=cached, reasoning=reasoning, tier=_tier(name))
    assert completion(text) is Completion.WHOLE
    assert completion(text + b"data: [DONE]" + line_end * 2) is Completion.MARKED
    broken = framed(streams[name][:-2], line_end)
    assert completion(broken) is Completion.TRUNCATED
    assert name == RUNNING or usage_of_stream(broken) is None
    assert output_estimate(broken) > 0 or len(streams[name]) < 4


def _tier(name: str) -> str | None:
    return "default" if name.startswith("openai/") else None


@pytest.mark.parametrize("size", [1, 61, 1400, 10**6])
@pytest.mark.parametrize("name", STREAMS)
def test_a_client_that_did_not_ask_gets_all_but_the_usage(
    name: str, size: int, streams: dict[str, list[bytes]]
) -> None:
    """Every event with a choice, its other members as they were."""
    text = framed([*streams[name], b"[DONE]"])
    stream = sifting()
    out = b"".join(stream.feed(text[index : index + size]) for index in range(0, len(text), size))
    seen = [event.removeprefix(b"data: ") for event in out.split(b"\n\n") if event]
    assert seen.pop() == b"[DONE]"
    if name == RUNNING:
        assert seen == streams[name]
        return
    sent: list[dict[str, Any]] = [json.loads(line) for line in streams[name]]
    kept = [{key: event[key] for key in event if not (key == "usage" and event[key])} for event in sent]
    assert [json.loads(event) for event in seen] == [event for event in kept if event["choices"]]
    unchanged = [line for line, event in zip(streams[name], sent, strict=True) if not event.get("usage")]
    assert [event for event in seen if event in unchanged] == unchanged


def test_whole_answers_tell_all_that_is_billed() -> None:
    """Wherever it stands, and whether the reasoning is in the output or beside it."""
    answers = captured(".json")
    assert len(answers) > 15
    for name, text in answers.items():
        told, usage = json.loads(text)["usage"], usage_of_answer(text)
        assert usage is not None, name
        assert usage.input + usage.output == told["total_tokens"], name
