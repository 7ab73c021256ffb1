"""The last bytes of a stream that fails late: one error event, whatever the client has already been sent."""

from __future__ import annotations

from lib.gateway import partial_json, sse

_FIELD = b"data:"
_DONE = b"[DONE]"
_MOST_BYTES = 256 * 1024  # finishing an event reads it byte by byte; one this long is no chat


def error_ending(tail: bytes, error: bytes) -> bytes:
    """Return what to append so that the stream ends in an event whose data is an object with the member `error`.

    `tail` is what the client has got behind the last complete event: often nothing, but a provider may break off
    anywhere. `error` is the JSON text of the member's value.
    """
    event = _FIELD + b' {"error":' + error + b"}\n\n"
    line = sse.last_line(tail)
    if not line:
        return (b"\n\n" if tail else b"") + event  # two: a lone CR may be half a line end
    if _FIELD.startswith(line):  # "da": make this line the event, since "data" alone would be an empty one
        return event[len(line) :]
    if not line.startswith(_FIELD):  # a comment or another field, which means nothing without data
        return b"\n\n" + event
    payload = line[len(_FIELD) :].lstrip(b" ")
    if not payload:
        return event[len(_FIELD) :]
    if _DONE.startswith(payload):  # all was said: only the end mark broke off
        return _DONE[len(payload) :] + b"\n\n"
    finished = partial_json.finish_with_error(payload, error) if len(payload) <= _MOST_BYTES else None
    return b"\n\n" + event if finished is None else finished + b"\n\n"
