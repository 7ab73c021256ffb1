"""The last bytes of a stream that fails late: one error event, whatever the client has already been sent."""

from __future__ import annotations

from lib.gateway.streams import partial_json, sse

_FIELD = b"data: "
_DONE = b"[DONE]"
_MARK_BYTES = 64
_MOST_BYTES = 256 * 1024  # finishing an event reads it byte by byte; one this long is no chat


def error_ending(tail: bytes, error: bytes) -> bytes:
    """Return what to append so that the stream ends in an event whose data is an object with the member `error`.

    `tail` is what the client has got behind the last complete event: often nothing, but a provider may break off
    anywhere. `error` is the JSON text of the member's value.
    """
    event = _FIELD + b'{"error":' + error + b"}\n\n"
    line, said = sse.last_line(tail), sse.data(tail)
    finished = partial_json.finish_with_error(said, error) if len(said) <= _MOST_BYTES else None
    if finished is not None:  # half an object: close it, in the line that is under way or in one of its own
        return _to_data(line) + finished + b"\n\n"
    if said and _DONE.startswith(said):  # all was said: only the end mark broke off
        return _DONE[len(said) :] + b"\n\n"
    if (
        line and not said and _FIELD.startswith(line)
    ):  # "da": make it the event, since "data" alone would be an empty one
        return event[len(line) :]
    # Nothing, a whole event, or a line that means nothing without data. Two line ends: a lone CR may be half of one.
    return b"\n\n" + event if tail else event


def held_mark(held: bytes) -> bytes:
    """Return what may still go out, at the end of a stream that is whole, of an event of which nothing has gone out: an
    end mark whose blank line is missing, and nothing else.

    Half an event is not sent on: the client would take it for the start of one.
    """
    return held + b"\n\n" if len(held) <= _MARK_BYTES and sse.data(held) == _DONE else b""


def _to_data(line: bytes) -> bytes:
    """Return what leads from a line under way into data."""
    if line.startswith(b"data:"):
        return b""
    return _FIELD[len(line) :] if _FIELD.startswith(line) else b"\n" + _FIELD
