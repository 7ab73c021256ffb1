"""What an object of the guard keeps on its disk."""

from __future__ import annotations

from lib.defence.guessing import Attempts, rule_of
from lib.defence.guessing_store import AttemptsTable
from tests.unit.admission.sqlite_sql import SqliteSql

RULE = rule_of("sign_in", network=False)
NOW = 1_800_000_000_000


def test_one_that_was_only_asked_keeps_nothing() -> None:
    """An attacker with addresses at random would else make a database of each, for ever."""
    sql = SqliteSql()
    attempts = AttemptsTable(sql).read(RULE)
    attempts.attempt("10.0.0.0/24", NOW)
    attempts.released("10.0.0.0/24")
    assert not AttemptsTable(sql).is_there
    assert sql.rows("SELECT name FROM sqlite_master") == []


def test_what_has_failed_is_remembered() -> None:
    """By the next object of the same name, also when the alarm had everything forgotten before."""
    sql = SqliteSql()
    for _ in range(2):
        table = AttemptsTable(sql)
        attempts = Attempts(RULE)
        for turn in range(10):
            attempts.failed("10.0.0.0/24", NOW + turn)
        table.write(attempts)
        assert AttemptsTable(sql).read(RULE).to_json() == attempts.to_json()
        assert table.is_there
        sql.run("DROP TABLE attempts")


def test_an_empty_table_is_read_as_nothing() -> None:
    """An earlier version made it for whoever asked."""
    sql = SqliteSql()
    sql.run("CREATE TABLE attempts (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    table = AttemptsTable(sql)
    assert (table.is_there, table.read(RULE).to_json()) == (True, Attempts(RULE).to_json())
