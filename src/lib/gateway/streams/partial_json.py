"""Finish a JSON object that broke off in the middle, so that it parses and carries an error.

A stream whose provider breaks off inside an event has already shown the client half a JSON object, which can't be taken
back. The text that this module appends closes what is open and adds a member `error` at the top level, where the
official SDKs look for it. So the client gets a proper API error, not a parse error or a clean end.
"""

from __future__ import annotations

from dataclasses import dataclass

_LITERALS = (b"true", b"false", b"null")
_SPACE = b" \t\r\n"
_AROUND_SCALARS = b'{}[]:,"' + _SPACE


@dataclass(slots=True)
class _Container:
    """An open object or array, and what came last in it: nothing, a key, a colon, a value or a comma."""

    is_object: bool
    last: str = "nothing"


def finish_with_error(partial: bytes, error: bytes) -> bytes | None:
    """Return the text to append to `partial`, the start of a JSON object, so that it becomes a whole one with the
    member `"error": error`. Returns None when `partial` is whole already, or does not begin as an object.
    """
    scan = _Scan()
    if not scan.read(partial):
        return None
    text = scan.finish_scalar()
    while len(scan.open) > 1:
        text += _close(scan.open.pop())
        scan.value_done()
    return text + _last_member(scan.open[0], error)


def _close(container: _Container) -> bytes:
    if not container.is_object:
        return b"null]" if container.last == "comma" else b"]"
    return {"key": b":null}", "colon": b"null}", "comma": b'"":null}'}.get(container.last, b"}")


def _last_member(top: _Container, error: bytes) -> bytes:
    lead = {"key": b":null,", "colon": b"null,", "value": b","}.get(top.last, b"")
    return lead + b'"error":' + error + b"}"


class _Scan:
    """Reads JSON byte by byte and knows what is open at the end. It trusts that the text is the start of valid JSON."""

    def __init__(self) -> None:
        self.open: list[_Container] = []
        self.string: _String | None = None  # the string under way
        self.scalar = b""  # the number or literal under way

    def read(self, text: bytes) -> bool:
        """Read `text`; return whether an object is still open at its end."""
        for index in range(len(text)):
            byte = text[index : index + 1]
            if self.string is not None:
                self._in_string(self.string, byte)
            else:
                self._structure(byte)
                if not self.open and byte not in _SPACE:
                    return False
        return bool(self.open) and self.open[0].is_object

    def _in_string(self, string: _String, byte: bytes) -> None:
        if string.ends_with(byte):
            self.string = None
            self.value_done()

    def value_done(self) -> None:
        """Note a value or key that has just ended in the container around it."""
        if self.open:
            around = self.open[-1]
            around.last = "key" if around.is_object and around.last in ("nothing", "comma") else "value"

    def finish_scalar(self) -> bytes:
        """Return the text that ends the string, number or literal under way."""
        if self.string is not None:
            ending = self.string.ending()
        elif self.scalar:
            ending = _scalar_ending(self.scalar)
        else:
            return b""
        self.value_done()
        return ending

    def _structure(self, byte: bytes) -> None:
        if byte in _AROUND_SCALARS and self.scalar:
            self.scalar = b""
            self.value_done()
        if byte == b'"':
            self.string = _String()
        elif byte in b"{[":
            self.open.append(_Container(is_object=byte == b"{"))
        elif byte in b"}]":
            self.open = self.open[:-1]
            self.value_done()
        elif byte in b":,":
            self._separator(byte)
        elif byte not in _SPACE:
            self.scalar += byte

    def _separator(self, byte: bytes) -> None:
        if self.open:
            self.open[-1].last = "colon" if byte == b":" else "comma"


class _String:
    """A string under way. Only what its end depends on is kept."""

    def __init__(self) -> None:
        self._escaped = False  # a backslash was the last byte
        self._hex_digits = 0  # how many a `\\u` still needs
        self._last = b""  # enough to hold a character that is not whole

    def ends_with(self, byte: bytes) -> bool:
        """Take the next byte; tell whether it is the closing quote."""
        if self._escaped:
            self._escaped = False
            self._hex_digits = 4 if byte == b"u" else 0
        elif self._hex_digits:
            self._hex_digits -= 1
        elif byte == b'"':
            return True
        else:
            self._escaped = byte == b"\\"
        self._last = self._last[-3:] + byte
        return False

    def ending(self) -> bytes:
        """Return what completes the last character and closes the string."""
        if self._escaped:
            return b'\\"'
        return b"0" * self._hex_digits + _missing_utf8(self._last) + b'"'


def _missing_utf8(string: bytes) -> bytes:
    """Return the continuation bytes that the last character still needs (RFC 3629, 4)."""
    for back in range(1, min(3, len(string)) + 1):
        lead = string[-back]
        if lead & 0xC0 == 0x80:
            continue  # a continuation byte: the lead is further back
        length = 2 if lead >> 5 == 0b110 else 3 if lead >> 4 == 0b1110 else 4 if lead >> 3 == 0b11110 else 1
        missing = length - back
        if missing <= 0:
            return b""
        first = {0xE0: 0xA0, 0xF0: 0x90}.get(lead, 0x80) if back == 1 else 0x80
        return bytes([first]) + b"\x80" * (missing - 1)
    return b""


def _scalar_ending(scalar: bytes) -> bytes:
    for literal in _LITERALS:
        if literal.startswith(scalar):
            return literal[len(scalar) :]
    return b"0" if scalar[-1:] in b"-+.eE" else b""
