"""The calls of a gate that are not in its tables yet, as they came: what it decides anew after a crash.

Its size is bounded, whatever keeps the alarm from folding it: by rows and their bytes, not by calls, which may bring
one row or two thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic_core import to_json

from lib.admission import gate_sql, protocol
from lib.admission.gate_sql import Sql
from lib.admission.protocol import Row

MOST_ROWS = 1_500
MOST_BYTES = 1_500_000
MOST_PLACES = 20_000


class Journal:
    """`places` is on how many counters what stands here counts; who takes it tells."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._rows = self._bytes = self._last = 0
        self._passed_over: list[tuple[int, int]] = []  # places of rows that are not to be written: (call, row)
        self.places = 0

    def has_room(self, rows: int, size: int) -> bool:
        """Tell whether so many rows of that size may still come. Where nothing stands, any number may."""
        return not self._rows or (
            self._rows + rows <= MOST_ROWS and self._bytes + size <= MOST_BYTES and self.places <= MOST_PLACES
        )

    def note(self, text: str, rows: int, passed_over: Sequence[int], at_ms: int, *, current: bool) -> None:
        """Write down a call that was just taken. One whose rows are all passed over leaves no trace."""
        if len(passed_over) < rows:
            self._sql.run(gate_sql.NOTE, self._last + 1, at_ms, int(current), text)
            self.known(self._last + 1, text, rows, passed_over)

    def known(self, call: int, text: str, rows: int, passed_over: Sequence[int]) -> None:
        """Remember what was found of a call that stands here."""
        self._last = call
        self._passed_over += [(call, place) for place in passed_over]
        self._rows += rows
        self._bytes += len(text)

    def unread(self) -> Iterator[tuple[int, int, bool, str, list[Row]]]:
        """Yield the calls of before a restart, in their order: which, when, by the current policy, and its rows."""
        while found := self._sql.run(gate_sql.READ_JOURNAL, self._last):
            for call, at_ms, current, text in found:
                yield int(call), int(at_ms), bool(current), text, protocol.rows_of(text)

    @property
    def is_empty(self) -> bool:
        return not self._rows

    def write(self) -> None:
        """Bring the records into their table."""
        self._sql.run(gate_sql.FOLD, self._last, to_json(self._passed_over).decode())

    def clear(self) -> None:
        """Forget what stands here, and has been folded."""
        self._sql.run(gate_sql.CLEAR_JOURNAL, self._last)
        self._rows = self._bytes = self.places = 0
        self._passed_over = []
