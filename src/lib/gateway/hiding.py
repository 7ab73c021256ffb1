"""Take the deployment's own key out of answers that are no refusals: a server that shows what it was sent, whole or in
an event, would show it too. `redaction` is for refusals, where providers quote keys.

A vendor at its own address does no such thing, and its streams are not looked at. Elsewhere a read costs one search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from lib.gateway import sse
from lib.gateway.redaction import KEY_LIKE, REDACTED, SHORTEST_SECRET
from lib.gateway.upstream import StreamFilter

# What encoders of JSON are known to write otherwise: PHP the slash; Go, .NET and Gson these, with either case of hex.
_ESCAPED = "+=&<>'"
# In an error of a provider's own, a key may be masked: that is looked for where such an event comes in one read.
_ERROR_BEGIN = b'data: {"error"'
_ERROR_EVENT = re.compile(_ERROR_BEGIN + rb"[^\r\n]*")


class Hidden:
    """What must not be shown, as it may be written."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {way for secret in secrets if len(secret) >= SHORTEST_SECRET for way in _ways(secret)}
        self._ways = sorted(found, key=len, reverse=True)
        self._longest = max(map(len, self._ways), default=0)

    def __bool__(self) -> bool:
        return bool(self._ways)

    def taken_out(self, text: bytes) -> bytes:
        """Return the text without them; itself, where it has none."""
        for way in self._ways:
            if way in text:
                text = text.replace(way, REDACTED)
        return text

    def begun(self, text: bytes) -> int:
        """Return how many of the last bytes may be the begin of one: nearly always none, and never a line's end."""
        if text.endswith((b"\n", b"}")):
            return 0
        begin = max(0, len(text) - self._longest + 1)
        return max((len(text) - _first_begin(way, text, begin) for way in self._ways), default=0)


def _first_begin(way: bytes, text: bytes, place: int) -> int:
    """Return where, from `place` on, the text goes on as `way` does until it ends; its end, where it nowhere does."""
    while (place := text.find(way[:1], place)) >= 0:
        if way.startswith(text[place:]):
            return place
        place += 1
    return len(text)


def _ways(secret: str) -> set[bytes]:
    """Return the ways in which encoders write a text into JSON: each writes a character always the same."""
    ways = set()
    for slash, form in product(("/", "\\/", "\\u002f", "\\u002F"), ("", "04x", "04X")):
        escaped = {character: f"\\u{ord(character):{form}}" if form else character for character in _ESCAPED}
        ways.add("".join((escaped | {"/": slash}).get(character, character) for character in secret).encode())
    return ways


class HidingFilter:
    """A stream without what is hidden; then through another filter, where there is one.

    A secret may be split between two reads: so what may be the begin of one waits for the next read, and nothing else.
    What has no `events` is a whole answer, of which nothing is kept.
    """

    def __init__(self, hidden: Hidden, then: StreamFilter | None = None, *, events: bool = True) -> None:
        self._hidden = hidden
        self._then = then
        self._held = b""
        self._events = events
        self._event = b""  # what was sent of the event under way

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return what may go out: `chunk` itself where nothing is to be changed."""
        text = self._hidden.taken_out(self._held + chunk if self._held else chunk)
        if _ERROR_BEGIN in text:
            text = _ERROR_EVENT.sub(lambda event: KEY_LIKE.sub(REDACTED, event[0]), text)
        begun = self._hidden.begun(text)
        self._held = text[len(text) - begun :] if begun else b""
        return self._pass(text[: len(text) - begun] if begun else text)

    def end(self) -> bytes:
        """Return what may still go out: of a secret that breaks off no more than what could be any word's begin."""
        held, self._held = self._held, b""
        rest = self._pass(held if len(held) < SHORTEST_SECRET else REDACTED) if held else b""
        return rest + (self._then.end() if self._then else b"")

    @property
    def unfinished(self) -> bytes:
        """What the client has got of the event under way."""
        return self._then.unfinished if self._then else self._event

    def _pass(self, text: bytes) -> bytes:
        if self._then:
            return self._then.feed(text)
        if self._events:
            event = self._event + text if self._event else text
            self._event = event[sse.last_boundary(event) :][-sse.MOST_EVENT_BYTES :]
        return text
