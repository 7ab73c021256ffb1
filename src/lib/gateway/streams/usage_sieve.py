"""Take the usage out of a stream whose client did not ask for it.

We ask every provider for usage. A client that did not must not see an event without choices: many index the first one.
Where a provider tells the usage in the event that finishes (Groq, DeepSeek, Mistral), only that member is taken out.
All other bytes are handed on untouched.
"""

from __future__ import annotations

import json
import re

from lib.gateway.formats.openai.chat_answer import FINISH, USAGE
from lib.gateway.streams import sse
from lib.kernel import json_body
from lib.kernel.errors import BadRequest

_MEMBER = re.compile(rb'"usage"\s*:\s*(?=\{)')
_decoder = json.JSONDecoder()
_SPACE = "[ \\t\\r\\n]*"


class UsageSieve:
    """Implements `lib.gateway.streams.upstream.Sieve`.

    The usage comes behind or in an event that tells why the text finished. A provider that tells a running total with
    the text has all of it handed on, its last word too; but not an event without choices.
    """

    # As encoders write it; a search for any white space would cost each read more.
    marks = json.dumps(
        {
            "begun": f'"usage": ?\\{{|"finish_reason"{_SPACE}:{_SPACE}"[^"]',
            "member": f'"usage"{_SPACE}:{_SPACE}\\{{',
            "among": f'"choices"{_SPACE}:{_SPACE}\\[{_SPACE}\\{{',
        }
    )

    def __init__(self) -> None:
        self.running = False

    def rest_of(self, event: bytes, already: int) -> bytes | None:
        """Return what is to go out of an event of which so much has gone out already; None: all the rest of it."""
        value = _telling(event)
        if value is None:
            return None
        if not already and value.get("choices") in ([], None) and not value.get("error"):
            return b""
        if self.running or not FINISH.search(event):
            self.running = True
            return None
        return _without_usage(event, value, already)


def _telling(event: bytes) -> dict[str, object] | None:
    """Return an event's object where it has a `usage` at its top."""
    value = _parsed(event) if USAGE.search(event) else None
    return value if isinstance(value, dict) and isinstance(value.get("usage"), dict) else None


def _parsed(event: bytes) -> object:
    try:
        return json_body.parse(sse.data(event))
    except BadRequest:
        return None


def _without_usage(event: bytes, value: dict[str, object], already: int) -> bytes | None:
    """Return an event without its member `usage`, every other byte as it was; None, where that can't be.

    What comes out is parsed and compared, so that no look-alike inside is taken out.
    """
    wanted = {name: member for name, member in value.items() if name != "usage"}
    for found in _MEMBER.finditer(event, already):
        try:
            text = event[found.end() :].decode()
            _, length = _decoder.raw_decode(text)
        except ValueError:
            continue
        begin, end = found.start(), found.end() + len(text[:length].encode())
        before, behind = event[:begin].rstrip(b" \t"), event[end:].lstrip(b" \t")
        if before.endswith(b","):
            before = before[:-1]
        else:
            behind = behind.removeprefix(b",").lstrip(b" \t")
        if len(before) >= already and _parsed(before + behind) == wanted:
            return before[already:] + behind
    return None
