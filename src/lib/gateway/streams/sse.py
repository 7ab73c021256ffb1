"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).

A stream may be split anywhere, inside a UTF-8 sequence too, so all of this works on bytes. `bytes.splitlines` and
`str.splitlines` are of no use: they also break at characters that are plain data here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE_END = rb"(?:\r\n|\n|\r(?!\n))"
_EVENT_END = re.compile(_LINE_END * 2)
_LINE_ENDS = re.compile(rb"\r\n|\n|\r")
# Wherever two line ends follow each other, one of these stands; a CR may have an LF behind it.
_PAIRS = (b"\n\n", b"\n\r", b"\r\r")
_FIRST_WINDOW, _WIDER = 1024, 8
# One event is held no further: what stands in a longer one is handed on unread.
MOST_EVENT_BYTES = 1024 * 1024


def events(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each complete event in `text`, its blank line included."""
    start = 0
    for end in _EVENT_END.finditer(text):
        yield start, end.end()
        start = end.end()


def last_boundary(text: bytes) -> int:
    """Return the place behind the last complete event; what follows is an event still under way."""
    if b"\r" not in text:
        return text.rfind(b"\n\n") + 2 if b"\n\n" in text else 0
    return event_at(text, len(text))


def event_at(text: bytes, place: int) -> int:
    """Return the begin of the event that stands at `place`. Looks back no further than a few times its length."""
    width = _FIRST_WINDOW
    while True:
        begin = max(0, place - width)
        pair = max(text.rfind(pair, begin, place) for pair in _PAIRS)
        if pair >= 0:
            return pair + (3 if text[pair + 1 : pair + 3] == b"\r\n" else 2)
        if not begin:
            return 0
        width *= _WIDER


def first_boundary(text: bytes, place: int) -> int:
    """Return the place behind the event that stands at `place`; the text's end when it is still under way."""
    found = _EVENT_END.search(text, place)
    return found.end() if found else len(text)


def data(event: bytes) -> bytes:
    """Return an event's data: its `data:` lines without the field name, joined by line feeds; else nothing."""
    lines = _LINE_ENDS.split(event)
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))


def last_line(text: bytes) -> bytes:
    """Return what follows the last line end: a line still under way, or nothing."""
    return _LINE_ENDS.split(text)[-1]
