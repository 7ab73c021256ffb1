"""Take the usage event out of a stream whose client did not ask for it.

We ask every provider for usage, and a client that did not must not see an event without choices: many index the first
one. The bytes of all other events are handed on untouched.
"""

from __future__ import annotations

import re

from lib.gateway import sse
from lib.gateway.formats.openai_chat import FINISH
from lib.http import json_body
from lib.http.errors import BadRequest

_OVERLAP = 64  # longer than `"finish_reason": "` and than an event's end, which may be split between two reads
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class UsageEventFilter:
    """Feed it a stream's bytes as they come; it returns the bytes to send at once.

    The usage event comes after an event that tells why the text finished. Until then everything goes on as it came,
    half events included, so that no byte waits. From then on whole events are looked at one by one.
    """

    def __init__(self) -> None:
        self._event = b""  # the event under way
        self._sent = 0  # how much of it the client already has
        self._finishing = False
        self._last_kept = True  # whether the last whole event went out
        self._half_line_end = False  # it ended with a CR, and an LF may belong to it

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return what may go out. Returns `chunk` itself where nothing is to be changed."""
        if self._half_line_end and chunk.startswith(b"\n"):
            line_feed, rest = b"\n" if self._last_kept else b"", chunk[1:]
        else:
            line_feed, rest = b"", chunk
        seen = max(0, len(self._event) - _OVERLAP)  # what lies before was searched with the bytes that came earlier
        self._event += rest
        if self._finishing or FINISH.search(self._event, seen):
            self._finishing = True
            out = line_feed + self._whole_events()
        else:
            out = chunk
            boundary = sse.last_boundary(self._event[seen:])
            if boundary:
                self._event = self._event[seen + boundary :]
            self._sent = len(self._event)
        if chunk:
            self._half_line_end = not self._event and chunk.endswith(b"\r")
        return out

    def end(self) -> bytes:
        """Return what may still go out at the stream's end: an end mark whose blank line is missing, and nothing else.

        Half an event is not sent on: the client would take it for the start of one.
        """
        return self._event + b"\n\n" if not self._sent and sse.data(self._event) == b"[DONE]" else b""

    @property
    def unfinished(self) -> bytes:
        """What the client has got of the event under way."""
        return self._event[: self._sent]

    def _whole_events(self) -> bytes:
        out = b""
        position = 0
        for start, end in sse.events(self._event):
            position = end
            already = max(start, self._sent)
            self._last_kept = already > start or not is_usage_event(self._event[start:end])
            if self._last_kept:
                out += self._event[already:end]
        self._event, self._sent = self._event[position:], max(0, self._sent - position)
        return out


def is_usage_event(event: bytes) -> bool:
    """Tell whether an event only tells the usage: it has a `usage` object and an empty list of choices."""
    if b'"usage"' not in event or not _NO_CHOICES.search(event):
        return False
    try:
        value = json_body.parse(sse.data(event))
    except BadRequest:
        return False
    return isinstance(value, dict) and value.get("choices") == [] and isinstance(value.get("usage"), dict)
