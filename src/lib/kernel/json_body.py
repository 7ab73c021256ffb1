"""JSON in and out, bounded: no NaN, no infinity, no deep nesting."""

from __future__ import annotations

import math
import re

from pydantic_core import from_json, to_json

from lib.kernel.errors import BadRequest

MAX_DEPTH = 64

# A number that a double can't hold becomes infinity in the parser, and would leave us as invalid JSON.
_MAY_OVERFLOW = re.compile(rb"[0-9][eE]\+?0*[0-9]{2}|[0-9]{200}")


def parse(raw: bytes) -> object:
    """Parse a JSON text (RFC 8259). Raises BadRequest where it is malformed, too deep or holds a non-finite number."""
    try:
        # Only keys are kept in the parser's cache: values are people's texts, and each comes once.
        value: object = from_json(raw, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        # The parser's message tells the place and the rule. It never quotes the text.
        raise BadRequest(f"The body is not valid JSON: {_first_line(error)}.", code="invalid_json") from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _too_deep(value):
        raise BadRequest(f"The body is nested more than {MAX_DEPTH} deep.", code="invalid_json")
    if _MAY_OVERFLOW.search(raw) and _has_infinity(value):
        raise BadRequest("The body holds a number that is too large.", code="invalid_json")
    return value


def dump(value: object) -> bytes:
    """Serialise to compact UTF-8 JSON."""
    return to_json(value)


def _first_line(error: ValueError) -> str:
    return str(error).partition("\n")[0][:200]


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[object]:
    """Return the containers directly inside `node`; scalars can't nest, so they are left out."""
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [value for value in values if isinstance(value, dict | list)]


def _has_infinity(value: object) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_infinity(child) for child in children)
