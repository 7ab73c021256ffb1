"""Errors that come with status 200, as a whole answer or as an event: some providers find out late, or are proxies."""

from __future__ import annotations

from collections.abc import Mapping

from lib.kernel import json_body
from lib.kernel.errors import BadRequest


def is_error(value: Mapping[str, object]) -> bool:
    """Tell whether an answer or an event is an error: OpenAI's and most others', or as Mistral and vLLM write it."""
    return bool(value.get("error")) or value.get("object") == "error"


def told_error(answer: bytes) -> bool:
    """Tell whether a whole answer is an error. Only one that may be is parsed: inside a text quotes are escaped."""
    if b'"error"' not in answer:
        return False
    try:
        value = json_body.parse(answer)
    except BadRequest:
        return False
    return isinstance(value, dict) and is_error(value)


def error(message: str, kind: str, code: str) -> bytes:
    """Return the body of an error, as JSON."""
    return b'{"error":' + inner(message, kind, code) + b"}"


def inner(message: str, kind: str, code: str) -> bytes:
    """Return what stands under `error`, as JSON."""
    return json_body.dump({"message": message, "type": kind, "param": None, "code": code})
