"""Structured logs: one JSON object a line, on the platform's console. Never a body, a key or a person's address."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import js
from pydantic_core import PydanticSerializationError, to_json

_METHODS = {"info": "log", "warning": "warn", "error": "error"}
_writers: dict[str, Callable[[str], object]] = {}  # the console's own; made at the first line of each level


def text_of(line: Mapping[str, object]) -> str:
    """Return a line: `level`, `event`, and its facts."""
    try:
        return to_json(line, fallback=str, ensure_ascii=True).decode()
    except PydanticSerializationError:  # half a character, in somebody's error
        return json.dumps(line, default=str)


def write(level: str, event: str, facts: Mapping[str, object]) -> None:
    """Write one line."""
    if level not in _writers:
        _writers[level] = getattr(js.console, _METHODS[level])
    _writers[level](text_of({"level": level, "event": event, **facts}))


def info(event: str, **facts: object) -> None:
    """Write a line about normal work."""
    write("info", event, facts)


def warning(event: str, **facts: object) -> None:
    """Write a line about something that may need a person's eye."""
    write("warning", event, facts)


def error(event: str, **facts: object) -> None:
    """Write a line about a defect or a failure."""
    write("error", event, facts)
