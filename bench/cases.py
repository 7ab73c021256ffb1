"""What is asked, and of whom."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bench.load import Expected

PATH = "/v1/chat/completions"
CHUNKS = 50
_MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer in one short paragraph."},
    {"role": "user", "content": "Tell me how a headgate controls the water that flows into a channel."},
]


@dataclass(frozen=True)
class Case:
    """One kind of request, and what its answer must be."""

    name: str
    body: str
    expected: Expected


def _case(name: str, expected: Expected, **fields: object) -> Case:
    return Case(name, json.dumps({"messages": _MESSAGES, **fields}), expected)


# A stream has an opening event, the content, a finish event, the usage event where it was asked for, and the end mark.
_STREAM = {"model": f"sim/chat-chunks{CHUNKS}", "stream": True}
JSON = _case("JSON", Expected(), model="sim/chat")
STREAM_USAGE = _case(
    "stream, usage asked for", Expected(events=CHUNKS + 4), **_STREAM, stream_options={"include_usage": True}
)
STREAM = _case("stream, no usage", Expected(events=CHUNKS + 3), **_STREAM)
_APART = {"model": f"sim/chat-chunks{CHUNKS}-each", "stream": True}
APART_USAGE = _case(
    "events apart, usage asked for", Expected(events=CHUNKS + 4), **_APART, stream_options={"include_usage": True}
)
APART = _case("events apart, no usage", Expected(events=CHUNKS + 3), **_APART)
LEFT_STREAM = _case(
    "stream, left at its first byte",
    Expected(leave="at_first_byte"),
    model=f"sim/chat-chunks{CHUNKS}-gap20",
    stream=True,
)
LEFT_JSON = _case("JSON, left while waiting", Expected(leave="while_waiting"), model="sim/chat-lat500")
INVALID = Case("error 400", json.dumps({"model": "sim/chat", "messages": "none"}), Expected(status=400))

QUICK_CASES = (JSON, STREAM_USAGE, STREAM)
SPEED_CASES = (*QUICK_CASES, APART_USAGE, APART)
MEMORY_CASES = (JSON, STREAM_USAGE, STREAM, LEFT_STREAM, LEFT_JSON, INVALID)


@dataclass(frozen=True)
class Contestant:
    """Who answers, and on which port."""

    name: str
    port: int
    key: str


@dataclass(frozen=True)
class Contestants:
    """The three that get the same requests."""

    direct: Contestant
    passthrough: Contestant
    headgate: Contestant
