"""Take the usage out of a stream whose client did not ask for it.

We ask every provider for usage. A client that did not must not see an event without choices: many index the first one.
Where a provider tells the usage in the event that finishes (Groq, DeepSeek, Mistral), only that member is taken out.
All other bytes are handed on untouched.
"""

from __future__ import annotations

import json
import re

from lib.gateway import sse
from lib.gateway.formats.openai_chat_answer import FINISH, USAGE
from lib.http import json_body
from lib.http.errors import BadRequest

_OVERLAP = 64  # longer than `"finish_reason": "` and than an event's end, which may be split between two reads
_MEMBER = re.compile(rb'"usage"\s*:\s*(?=\{)')
_BEGUN = (b'"usage":{', b'"usage": {')  # as encoders write it; a search for any white space would cost more
_decoder = json.JSONDecoder()


class UsageEventFilter:
    """Feed it a stream's bytes as they come; it returns the bytes to send at once.

    The usage comes behind or in an event that tells why the text finished. Until one of the two is seen everything goes
    on as it came, half events included, so that no byte waits. From then on whole events are looked at one by one.
    """

    def __init__(self) -> None:
        self._event = bytearray()  # the event under way
        self._sent = 0  # how much of it the client already has
        self._looking = False
        self._running = False  # the provider tells it with the text, again and again: then its last word stays too
        self._last_kept = True  # whether the last whole event went out
        self._half_line_end = False  # it ended with a CR, and an LF may belong to it

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return what may go out. Returns `chunk` itself where nothing is to be changed."""
        if self._half_line_end and chunk.startswith(b"\n"):
            line_feed, rest = b"\n" if self._last_kept else b"", chunk[1:]
        else:
            line_feed, rest = b"", chunk
        seen = max(0, len(self._event) - _OVERLAP)  # what lies before was searched with the bytes that came earlier
        new = bytes(self._event[seen:]) + rest if self._event else rest
        boundary = sse.last_boundary(new)
        if self._looking or _BEGUN[0] in new or _BEGUN[1] in new or FINISH.search(new):
            self._looking = True
            self._event += rest
            out = line_feed + (self._whole_events(seen + boundary) if boundary else b"")
        else:
            out = chunk
            if boundary:
                self._event[:] = new[boundary:]
            else:
                self._event += rest
            self._sent = len(self._event)
        if len(self._event) > sse.MOST_EVENT_BYTES:
            out += self._let_go()
        if chunk:
            self._half_line_end = not self._event and chunk.endswith(b"\r")
        return out

    def end(self) -> bytes:
        """Return what may still go out at the stream's end: an end mark whose blank line is missing, and nothing else.

        Half an event is not sent on: the client would take it for the start of one.
        """
        mark = b"" if self._sent or len(self._event) > _OVERLAP else bytes(self._event)
        return mark + b"\n\n" if sse.data(mark) == b"[DONE]" else b""

    @property
    def unfinished(self) -> bytes:
        """What the client has got of the event under way."""
        return bytes(self._event[: self._sent])

    def _let_go(self) -> bytes:
        """Return the rest of an event under way that is too long to be held; of what has gone out its end will do."""
        rest = bytes(self._event[self._sent :])
        del self._event[:-_OVERLAP]
        self._sent = len(self._event)
        return rest

    def _whole_events(self, boundary: int) -> bytes:
        """Take the events before `boundary`; return what is to go out of them. Those before a usage go as they are."""
        whole = bytes(self._event[:boundary])
        told = USAGE.search(whole)
        begin = sse.event_at(whole, told.start()) if told else boundary
        out, self._last_kept = whole[min(self._sent, begin) : begin], True
        for start, end in sse.events(whole[begin:]):
            already = max(0, self._sent - begin - start)
            kept = self._of(whole[begin + start : begin + end], already)
            self._last_kept = already > 0 or bool(kept)
            out += kept
        del self._event[:boundary]
        self._sent = max(0, self._sent - boundary)
        return out

    def _of(self, event: bytes, already: int) -> bytes:
        """Return what is to go out of an event of which so much has gone out already."""
        value = _telling(event)
        if value is None:
            return event[already:]
        if not already and value.get("choices") in ([], None) and not value.get("error"):
            return b""
        if self._running or not FINISH.search(event):
            self._running = True
            return event[already:]
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


def _without_usage(event: bytes, value: dict[str, object], already: int) -> bytes:
    """Return an event without its member `usage`, every other byte as it was; the rest of it, where that can't be.

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
    return event[already:]
