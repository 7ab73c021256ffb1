"""Take the deployment's own key out of answers that are no refusals: a server that shows what it was sent, whole or in
an event, would show it too. `redaction` is for refusals, where providers quote keys.

A vendor at its own address does no such thing, and its streams are not looked at. Elsewhere plane.mjs looks for the
guard in each read, and few pass through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from lib.gateway.redaction import KEY_LIKE, REDACTED, SHORTEST_SECRET

# What encoders of JSON are known to write otherwise: PHP the slash; Go, .NET and Gson these, with either case of hex.
_ESCAPED = "+=&<>'"
# In an error of a provider's own, a key may be masked: that is looked for where such an event comes in one read.
_ERROR_BEGIN = b'data: {"error"'
_GUARD_BYTES = 12  # more of a key is hardly in a text by chance
_ERROR_EVENT = re.compile(_ERROR_BEGIN + rb"[^\r\n]*")


class Hidden:
    """What must not be shown, as it may be written."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {way for secret in secrets if len(secret) >= SHORTEST_SECRET for way in _ways(secret)}
        self._ways = sorted(found, key=len, reverse=True)
        self._longest = max(map(len, self._ways), default=0)
        self.guard = _guard({way[:_GUARD_BYTES] for way in self._ways})

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


def _guard(begins: Iterable[bytes]) -> str:
    """Return a regular expression of JavaScript's: what must pass through the filter. The begin of a way, or of such a
    begin at the text's end; or an error of the provider's own. Everything, where one is not ASCII.
    """
    guards = [_ERROR_BEGIN.decode()]
    for begin in begins:
        if not begin.isascii():
            return "[^]"
        *first, last = (f"\\x{byte:02x}" for byte in begin)
        guards.append("".join(f"{one}(?:$|" for one in first) + last + ")" * len(first))
    return "|".join(guards)


def _ways(secret: str) -> set[bytes]:
    """Return the ways in which encoders write a text into JSON: each writes a character always the same."""
    ways = set()
    for slash, form in product(("/", "\\/", "\\u002f", "\\u002F"), ("", "04x", "04X")):
        escaped = {character: f"\\u{ord(character):{form}}" if form else character for character in _ESCAPED}
        ways.add("".join((escaped | {"/": slash}).get(character, character) for character in secret).encode())
    return ways


class HidingFilter:
    """An answer without what is hidden.

    A secret may be split between two reads: so what may be the begin of one waits for the next read, and nothing else.
    A read in which `guard` finds nothing need not be fed, but where something `holds`.
    """

    def __init__(self, hidden: Hidden) -> None:
        self._hidden = hidden
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return what may go out: `chunk` itself where nothing is to be changed."""
        text = self._hidden.taken_out(self._held + chunk if self._held else chunk)
        if _ERROR_BEGIN in text:
            text = _ERROR_EVENT.sub(lambda event: KEY_LIKE.sub(REDACTED, event[0]), text)
        begun = self._hidden.begun(text)
        self._held = text[len(text) - begun :] if begun else b""
        return text[: len(text) - begun] if begun else text

    def end(self) -> bytes:
        """Return what may still go out: of a secret that breaks off no more than what could be any word's begin."""
        held, self._held = self._held, b""
        return held if len(held) < SHORTEST_SECRET else REDACTED

    @property
    def guard(self) -> str:
        """What tells the reads that have to pass through: a regular expression of JavaScript's."""
        return self._hidden.guard

    @property
    def holds(self) -> bool:
        """Whether the last read's end waits for the next one."""
        return bool(self._held)
