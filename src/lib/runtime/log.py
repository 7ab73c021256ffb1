"""Structured logs: one JSON object a line, on the platform's console. Never a body, a key or a person's address."""

from __future__ import annotations

import json

import js


def write(level: str, event: str, **facts: object) -> None:
    """Write one line."""
    line = json.dumps({"level": level, "event": event, **facts}, default=str)
    getattr(js.console, {"info": "log", "warning": "warn", "error": "error"}[level])(line)


def info(event: str, **facts: object) -> None:
    """Write a line about normal work."""
    write("info", event, **facts)


def warning(event: str, **facts: object) -> None:
    """Write a line about something that may need a person's eye."""
    write("warning", event, **facts)


def error(event: str, **facts: object) -> None:
    """Write a line about a defect or a failure."""
    write("error", event, **facts)
