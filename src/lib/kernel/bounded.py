"""Tables in memory that can't grow without end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Name = TypeVar("Name")
Value = TypeVar("Value")

_MULTIPLIER, _INCREMENT, _MASK = 6364136223846793005, 1442695040888963407, 2**64 - 1  # Knuth's MMIX


def keep(table: dict[Name, Value], name: Name, value: Value, most: int) -> None:
    """Put an entry at the end; the first, used longest ago, makes room."""
    table.pop(name, None)
    if len(table) >= most:
        table.pop(next(iter(table)))
    table[name] = value


class Bounded(Generic[Name, Value]):
    """A cache of at most so many entries, and of at most so many bytes as they are said to have.

    One that is drawn makes room, not the one used longest ago: of entries that are used in turn, a few more than there
    is room for, that would always be the one which is used next, and none would ever be found.
    """

    def __init__(self, most: int, most_bytes: int = 2**62) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._entries: dict[Name, tuple[Value, int, int]] = {}  # value, bytes, place among the names
        self._names: list[Name] = []
        self._drawn = 1
        self.bytes = 0

    def get(self, name: Name) -> Value | None:
        """Return what is kept under a name, or None."""
        entry = self._entries.get(name)
        return None if entry is None else entry[0]

    def put(self, name: Name, value: Value, size: int = 0) -> None:
        """Keep an entry of so many bytes; one that is larger than all the room is not kept."""
        self.pop(name)
        if size > self._most_bytes:
            return
        while len(self._names) >= self._most or self.bytes + size > self._most_bytes:
            self._drawn = (self._drawn * _MULTIPLIER + _INCREMENT) & _MASK
            self.pop(self._names[(self._drawn >> 33) % len(self._names)])
        self._entries[name] = value, size, len(self._names)
        self._names.append(name)
        self.bytes += size

    def pop(self, name: Name) -> Value | None:
        """Drop an entry, and return it; None where there is none."""
        entry = self._entries.pop(name, None)
        if entry is None:
            return None
        value, size, place = entry
        last = self._names.pop()
        if place < len(self._names):
            self._names[place] = last
            self._entries[last] = *self._entries[last][:2], place
        self.bytes -= size
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Name]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
