"""What is asked, and of whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.load import Expected

PATH = "/v1/chat/completions"
CHUNKS, MANY_CHUNKS = 50, 500
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


def _stream(name: str, words: str, chunks: int, *, usage: bool) -> Case:
    """A stream has an opening event, the content, a finish event, the usage event where asked for, and the end mark."""
    asked = {"stream_options": {"include_usage": True}} if usage else {}
    expected = Expected(events=chunks + (4 if usage else 3))
    return _case(name, expected, model=f"sim/chat-chunks{chunks}{words}", stream=True, **asked)


JSON = _case("JSON", Expected(), model="sim/chat")
STREAM_USAGE = _stream("stream, usage asked for", "", CHUNKS, usage=True)
STREAM = _stream("stream, no usage", "", CHUNKS, usage=False)
APART_USAGE = _stream("events apart, usage asked for", "-each", CHUNKS, usage=True)
APART = _stream("events apart, no usage", "-each", CHUNKS, usage=False)
MANY_USAGE = _stream(f"{MANY_CHUNKS} apart, usage asked for", "-each", MANY_CHUNKS, usage=True)
MANY = _stream(f"{MANY_CHUNKS} apart, no usage", "-each", MANY_CHUNKS, usage=False)
LEFT_STREAM = _case(
    "stream, left at its first byte",
    Expected(leave="at_first_byte"),
    model=f"sim/chat-chunks{CHUNKS}-gap20",
    stream=True,
)
LEFT_JSON = _case("JSON, left while waiting", Expected(leave="while_waiting"), model="sim/chat-lat500")
INVALID = Case("error 400", json.dumps({"model": "sim/chat", "messages": "none"}), Expected(status=400))

QUICK_CASES = (JSON, APART, MANY)
SPEED_CASES = (JSON, STREAM_USAGE, STREAM, APART_USAGE, APART, MANY_USAGE, MANY)
PEER_CASES = (JSON, STREAM_USAGE, APART)
MEMORY_CASES = (JSON, STREAM_USAGE, STREAM, LEFT_STREAM, LEFT_JSON, INVALID)

DIRECT, PASSTHROUGH, HEADGATE = "direct", "pass-through", "Headgate"


@dataclass(frozen=True)
class Contestant:
    """Who answers, on which port, and what tells the processor time that its process has used.

    What it does behind its answers is over `rest` seconds later, and counted. A `peer` gets only some of the cases, and
    may leave out or add a few events of a stream's envelope.
    """

    name: str
    port: int
    key: str
    cpu_seconds: Callable[[], float] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    rest: float = 0.0
    peer: bool = False
