"""Server-sent events, read strictly: what a test wants to know of a stream's bytes."""

from __future__ import annotations

import json
import re
from typing import Any

DONE = "[DONE]"


def events(text: bytes) -> list[bytes]:
    """The events of a stream, each with its blank line. Fails when the stream ends inside one."""
    parts = text.split(b"\n\n")
    assert parts[-1].strip(b"\n") == b"", f"the stream ends inside an event: {parts[-1]!r}"
    return [part + b"\n\n" for part in parts[:-1]]


def payloads(text: bytes) -> list[Any]:
    """The data of each event that has some: parsed JSON, or the text [DONE]. Fails where it is neither."""
    found: list[Any] = []
    for event in events(text):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            data = b"\n".join(lines).decode()
            found.append(DONE if data == DONE else json.loads(data))
    return found


def content(text: bytes, choice: int = 0) -> str:
    """The text of one choice."""
    pieces = [
        item["delta"].get("content") or ""
        for payload in payloads(text)
        if payload != DONE
        for item in payload.get("choices", [])
        if item["index"] == choice
    ]
    return "".join(pieces)


def is_usage_event(event: bytes) -> bool:
    """Tell whether an event only tells the usage."""
    return b'"choices":[]' in event and b'"usage":{' in event


def without_serials(text: bytes) -> bytes:
    """A stream without what differs between any two answers of the simulated provider: ids and times."""
    return re.sub(rb'"created":\d+', b'"created":0', re.sub(rb"(chatcmpl-sim|call_sim)\d+", rb"\1N", text))
