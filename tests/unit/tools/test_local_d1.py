"""Where a statement ends: D1 takes each by itself."""

from __future__ import annotations

import pytest

from tools.local_d1 import statements

TRIGGER = "CREATE TRIGGER t BEFORE UPDATE ON a BEGIN SELECT 1; SELECT 2; END;"


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("", []),
        (" ;; -- nothing; at all\n/* nor; here */ ;", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;\n", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT ';', \"a;b\"; SELECT 2", ["SELECT ';', \"a;b\";", "SELECT 2"]),
        ("SELECT 1 -- one; more\n; SELECT 2; -- end", ["SELECT 1 -- one; more\n;", "SELECT 2;"]),
        (f"{TRIGGER}{TRIGGER}SELECT 1;", [TRIGGER, TRIGGER, "SELECT 1;"]),
        ("SELECT 'open;", ["SELECT 'open;"]),  # SQLite says what is wrong with it
    ],
)
def test_statements(sql: str, found: list[str]) -> None:
    assert list(statements(sql)) == found
