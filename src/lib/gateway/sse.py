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
    return max((end for _, end in events(text)), default=0)


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
