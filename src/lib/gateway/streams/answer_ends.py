"""The usage of a whole answer of which only the two ends are known: it stands behind the data, or before it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from lib.gateway.streams.upstream import Ends
from lib.kernel import json_body
from lib.kernel.errors import BadRequest
from lib.ledger.usage import Usage

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_DECODER = json.JSONDecoder()


def usage_at_ends(ends: Ends, usage: Callable[[bytes], Usage | None]) -> Usage | None:
    """Return the usage that an answer tells at its end, else at its begin, as `usage` reads it; None: neither does.

    OpenAI tells it behind the data. Some servers write their members by name or otherwise, so that it may come first.
    """
    if ends.size <= len(ends.tail):
        return usage(ends.tail)
    told = usage(ends.tail)
    if told is None:
        begin = _closed(ends.head)
        told = usage(begin) if begin else None
    return told


def _closed(head: bytes) -> bytes | None:
    """Return the begin of an object up to its member `usage`, closed behind that; None where it has none of its own."""
    for found in _USAGE.finditer(head):
        rest = head[found.end() :].decode(errors="replace")
        try:
            _, length = _DECODER.raw_decode(rest)
            begin = head[: found.end()] + rest[:length].encode() + b"}"
            if isinstance(json_body.parse(begin), dict):  # else it is a member of something inside
                return begin
        except (ValueError, RecursionError, BadRequest):
            continue
    return None
