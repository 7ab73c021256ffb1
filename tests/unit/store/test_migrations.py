"""The schema itself: strict tables, indexed foreign keys, and times and ids as documented."""

from __future__ import annotations

import re
import sqlite3

import pytest

from lib.ledger.usage import Cause
from tests.unit.store.sqlite_binding import MIGRATIONS, new_database, schema

_, BINDING = new_database()
TABLES = [str(row["name"]) for row in BINDING.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
every_table = pytest.mark.parametrize("table", TABLES)


@every_table
def test_a_table_is_strict(table: str) -> None:
    """A column takes only values of its type."""
    [info] = BINDING.rows("SELECT strict FROM pragma_table_list WHERE name = ?", table)
    assert info["strict"] == 1


@every_table
def test_a_row_tells_when_it_was_made_and_changed(table: str) -> None:
    """Both times, and never empty."""
    columns = {c["name"]: c for c in BINDING.rows("SELECT * FROM pragma_table_info(?)", table)}
    assert columns["created_at"]["notnull"] == columns["updated_at"]["notnull"] == 1


@every_table
def test_what_belongs_to_an_organisation_goes_with_it(table: str) -> None:
    """Every `org_id` is a foreign key that cascades."""
    keys = BINDING.rows("SELECT * FROM pragma_foreign_key_list(?) WHERE \"from\" = 'org_id'", table)
    columns = [c["name"] for c in BINDING.rows("SELECT name FROM pragma_table_info(?)", table)]
    assert [(key["table"], key["on_delete"]) for key in keys] == ([("orgs", "CASCADE")] if "org_id" in columns else [])


@every_table
def test_rows_of_an_organisation_can_be_found(table: str) -> None:
    """An index, or the primary key, begins with `org_id`, so that neither reads nor cascades scan the table."""
    columns = [c["name"] for c in BINDING.rows("SELECT name FROM pragma_table_info(?)", table)]
    if "org_id" in columns:
        steps = [row["detail"] for row in BINDING.rows(f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE org_id = 'x'")]
        assert all(str(step).startswith("SEARCH") for step in steps), steps


def test_the_store_knows_every_cause() -> None:
    """A cause that the CHECK does not list would be refused at settlement, when it is too late."""
    [listed] = re.findall(r"cause IN \(([^)]*)\)", schema())
    assert {text.strip().strip("'") for text in listed.split(",")} == {cause.value for cause in Cause}


def test_migrations_can_be_applied_only_once() -> None:
    """A second run is an error, not a silent change of an existing table."""
    with pytest.raises(sqlite3.OperationalError):
        BINDING.connection.executescript(schema())


# What grows with each call or change, to millions of rows.
GROWING = "usage_records|usage_days|audit_events|person_events|api_keys|sessions|refresh_tokens|idempotent_answers"
READS_IT = {
    "a CHECK is tried on every row": rf"ALTER TABLE (?:{GROWING})\b[^;]*\bADD COLUMN\b[^;]*\bCHECK\b",
    "every row is written": rf"(?:UPDATE|DELETE FROM) (?:{GROWING})\b(?![^;]*\bWHERE\b)[^;]*;",
    "the table is made anew": rf"DROP TABLE (?:{GROWING})\b",
}


def reads_all(sql: str) -> list[str]:
    """Why a migration of D1 would stand still in front of a large table."""
    return [why for why, pattern in READS_IT.items() if re.search(pattern, sql)]


LATER = [path for path in sorted(MIGRATIONS.glob("[0-9]*.sql")) if path.name[:4] > "0012"]


def test_a_migration_reads_no_table_that_grows() -> None:
    """D1 does nothing else meanwhile. What came before 0012 was for databases that were small."""
    assert {path.name: found for path in LATER if (found := reads_all(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("ALTER TABLE usage_records ADD COLUMN x TEXT;", 0),
        ("ALTER TABLE usage_records ADD COLUMN x TEXT NOT NULL DEFAULT 'a';", 0),
        ("ALTER TABLE usage_records\n  ADD COLUMN x TEXT CHECK (length(x) = 3);", 1),
        ("ALTER TABLE limits ADD COLUMN x TEXT CHECK (length(x) = 3);", 0),
        ("UPDATE usage_days SET model = 'x';", 1),
        ("UPDATE usage_days SET model = 'x' WHERE org_id = 'o' AND day = 'd';", 0),
        ("UPDATE orgs SET name = 'x'; UPDATE audit_events SET id = 'x';", 1),
        ("DELETE FROM audit_events;", 1),
        ("DROP TABLE usage_days;", 1),
        ("CREATE TABLE new_usage_days (id TEXT);", 0),
    ],
)
def test_what_reads_a_table_is_told_apart(sql: str, reads: int) -> None:
    """The rule above can fail."""
    assert len(reads_all(sql)) == reads
