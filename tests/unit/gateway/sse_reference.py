"""A slow and literal reading of the WHATWG's rules for event streams, to compare the quick one with.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations


def lines_of(stream: str) -> list[str]:
    """Return the lines that have ended: by CRLF, by LF, or by CR. What follows the last end is no line yet."""
    lines, line, index = [], "", 0
    while index < len(stream):
        if stream[index] in "\r\n":
            lines.append(line)
            line = ""
            index += 2 if stream[index : index + 2] == "\r\n" else 1
        else:
            line += stream[index]
            index += 1
    return lines


def dispatched(stream: bytes) -> list[str]:
    """Return the data of every event that a client gets to see."""
    events, data = [], ""
    for line in lines_of(stream.decode(errors="replace")):
        if not line:
            if data:
                events.append(data[:-1])
            data = ""
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            if name == "data":
                data += value.removeprefix(" ") + "\n"
    return events
