"""CPython's SQLite refuses what production's would."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.store.sqlite_binding import SqliteBinding
from tools.production.sqlite_limits import limit

FAKES: Mapping[str, Callable[[], sqlite3.Connection]] = {
    "plain": lambda: limit(sqlite3.connect(":memory:")),
    "a Durable Object's": lambda: SqliteSql().connection,
    "D1's": lambda: SqliteBinding().connection,
}
WITHIN_AND_BEYOND: Mapping[str, Callable[[int], tuple[str, Sequence[object]]]] = {
    "a value of 2 MB": lambda more: ("SELECT length(?)", ["x" * (1_999_990 + 20 * more)]),
    "a row of 2 MB": lambda more: ("CREATE TABLE t AS SELECT ? AS a, ? AS b", ["x" * (999_900 + 200 * more)] * 2),
    "100 parameters": lambda more: (
        f"SELECT max({', '.join(['(? + ? + ? + ?)'] * 25 + ['?'] * more)})",
        [1] * (100 + more),
    ),
    "100 KB a statement": lambda more: (f"SELECT '{'x' * (99_980 + 40 * more)}'", []),
    "LIKE of 50 bytes": lambda more: ("SELECT 'x' LIKE ?", ["x" * (50 + more)]),
    "32 arguments": lambda more: (f"SELECT max({', '.join(['1'] * (32 + more))})", []),
}


@pytest.mark.parametrize("fake", FAKES)
@pytest.mark.parametrize("rule", WITHIN_AND_BEYOND)
def test_what_is_too_much_is_refused(fake: str, rule: str) -> None:
    """Just within the limit passes, and just beyond it fails, so that no stand-in does nothing."""
    connection, made = FAKES[fake](), WITHIN_AND_BEYOND[rule]
    connection.execute(*made(0)).fetchall()
    with pytest.raises(sqlite3.Error):
        connection.execute(*made(1)).fetchall()
