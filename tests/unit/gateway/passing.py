"""What plane.mjs does with a stream's text, in Python: the reference that it is compared with, byte by byte."""

from __future__ import annotations

import json
import re

from lib.gateway.streams import sse
from lib.gateway.streams.stream_text import KEPT_BYTES, MOST_BYTES, StreamText
from lib.gateway.streams.upstream import Sieve

_OVERLAP = 64


class Passing:
    """Feed it a stream's bytes as they come; it returns the bytes to send at once, `piece` itself where it can."""

    def __init__(self, heard: StreamText, sieve: Sieve | None, kept: int = KEPT_BYTES, most: int = MOST_BYTES) -> None:
        marks = json.loads(sieve.marks) if sieve else {}
        self._marks = {name: re.compile(source.encode()) for name, source in marks.items()}
        self._heard = heard
        self._sieve = sieve
        self._kept = kept
        self._most = self._limit = most
        self._event = 0
        self._looking = False
        self._last_kept = True
        self.text = b""
        self.sent = 0

    def feed(self, piece: bytes) -> bytes:
        if len(self.text) > self._limit:
            self._let_go()
        before = len(self.text)
        self.text += piece
        out = self._sifted(self._sieve, piece, before) if self._sieve else piece
        if not self._looking:
            self.sent = len(self.text)
        elif len(self.text) - self._event > sse.MOST_EVENT_BYTES:
            out, self.sent = out + self.text[self.sent :], len(self.text)
        return out

    def _sifted(self, sieve: Sieve, piece: bytes, before: int) -> bytes:
        if not self._looking:
            if not self._marks["begun"].search(self.text[max(0, before - _OVERLAP) :]):
                return piece
            self._looking, self._event, self.sent = True, sse.event_at(self.text, before), before
        elif self._event == before and self.text[before - 1 : before + 1] == b"\r\n":
            self._event += 1
        out = b""
        if self._event > self.sent:
            out = self.text[self.sent : self._event] if self._last_kept else b""
            self.sent = self._event
        for start, end in list(sse.events(self.text[self._event :])):
            event, already = self.text[self._event :][: end - start], max(0, self.sent - self._event)
            asked = self._marks["member"].search(event)
            if sieve.running and self._marks["among"].search(event):
                asked = None
            rest = sieve.rest_of(event, already) if asked else None
            out += event[already:] if rest is None else rest
            self._last_kept = already > 0 or rest != b""
            self._event += end - start
            self.sent = max(self.sent, self._event)
        return out

    def _let_go(self) -> None:
        begin = min(self.sent, sse.event_at(self.text, len(self.text) - self._kept))
        if not begin and len(self.text) > sse.MOST_EVENT_BYTES:
            begin = len(self.text) - self._kept
        events = self.text[:begin]
        self.text = self.text[begin:]
        self._limit = max(self._most, 2 * len(self.text))
        self._heard.let_go(events, self._limit)
        self.sent -= begin
        self._event = max(0, self._event - begin)
