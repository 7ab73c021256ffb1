"""Row types come from the schema as SQLite has it after all migrations; a stale file is found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from lib.store import schema
from tools import row_types
from tools.project import ROOT, ToolError
from tools.row_types import Column, Table, read, render, singular

NOTES = """
CREATE TABLE notes (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL, -- json_valid(body) is not said here, nor CHECK (version IN (0, 1))
  body TEXT NOT NULL,
  mood TEXT,
  pinned INTEGER NOT NULL CHECK (pinned IN (0, 1)),
  shared INTEGER CHECK (shared in ( 0,1 )),
  version INTEGER NOT NULL CHECK (version IN (0, 1, 2)),
  seen_at TEXT,
  created_at TEXT NOT NULL
) STRICT;
"""

Make = Callable[..., Path]


@pytest.fixture
def migrations(tmp_path: Path) -> Make:
    """Make a folder of migrations, numbered as they are given."""

    def make(*texts: str) -> Path:
        for number, text in enumerate(texts, 1):
            (tmp_path / f"{number:04}_x.sql").write_text(text)
        return tmp_path

    return make


def types(table: Table) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}


def listed(text: str) -> dict[str, str]:
    return dict(re.findall(r'"(\w+)": "(\w+)"', text))


def test_each_kind_of_column_has_its_type(migrations: Make) -> None:
    """Flags are booleans, `*_at` are times, what may be null says so; a comment is no CHECK."""
    [notes] = read(migrations(NOTES))
    assert types(notes) == {
        "id": "str",
        "org_id": "str",
        "body": "str",
        "mood": "str | None",
        "pinned": "bool",
        "shared": "bool | None",
        "version": "int",
        "seen_at": "datetime | None",
        "created_at": "datetime",
    }


def test_the_schema_is_what_all_migrations_made_of_it(migrations: Make) -> None:
    """A column that a later one adds is there, one that it drops is not."""
    later = """
        ALTER TABLE notes ADD COLUMN "done" INTEGER NOT NULL DEFAULT 0 CHECK ("done" IN (0, 1));
        ALTER TABLE notes DROP COLUMN mood;
    """
    [notes] = read(migrations(NOTES, later))
    assert types(notes)["done"] == "bool"
    assert "mood" not in types(notes)


def test_a_primary_key_is_never_null(migrations: Make) -> None:
    """SQLite does not list it as NOT NULL, but a STRICT table keeps it so."""
    [pairs] = read(migrations("CREATE TABLE pairs (org_id TEXT, n INTEGER, PRIMARY KEY (org_id, n)) STRICT;"))
    assert types(pairs) == {"org_id": "str", "n": "int"}


@pytest.mark.parametrize("name", ["headgate_migrations", "d1_migrations", "_cf_KV"])
def test_bookkeeping_has_no_types(migrations: Make, name: str) -> None:
    """The application never reads it."""
    assert read(migrations(f"CREATE TABLE {name} (id INTEGER)")) == []


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("CREATE TABLE notes (org_id TEXT)", "not STRICT"),
        ("CREATE TABLE notes (org_id TEXT, size REAL) STRICT", "notes.size is REAL"),
        ("CREATE TABLE notes (org_id TEXT, tags TEXT CHECK (json_valid(tags))) STRICT", "notes.tags is JSON"),
        ("CREATE TABL notes", "0001_x.sql"),
    ],
)
def test_what_has_no_certain_type_is_refused(migrations: Make, sql: str, complaint: str) -> None:
    """Rather than a guess that somebody relies on."""
    with pytest.raises(ToolError, match=complaint):
        read(migrations(sql))


def test_a_table_without_an_organisation_is_refused_unless_it_is_listed() -> None:
    """Whose rows they are must be decided, not forgotten."""
    columns = (Column("id", "str"),)
    with pytest.raises(ToolError, match="notes has no org_id"):
        render([Table("notes", columns)])
    assert '"signing_keys"' not in render([Table("signing_keys", columns)])


def test_a_persons_table_is_listed_as_a_persons() -> None:
    """By the column that names it; a membership is its organisation's too, and who made a row does not own it."""
    user, org = Column("user_id", "str"), Column("org_id", "str")
    tables = [
        Table("users", (Column("id", "str"),)), Table("visits", (user,)), Table("memberships", (org, user)),
        Table("notes", (org, user)),
    ]  # fmt: skip
    tenants, _, persons = render(tables).partition("TENANT_COLUMNS")[2].partition("PERSON_COLUMNS")
    assert listed(tenants) == {"memberships": "org_id", "notes": "org_id"}
    assert listed(persons) == {"users": "id", "visits": "user_id", "memberships": "user_id"}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("orgs", "OrgRow"),
        ("api_keys", "ApiKeyRow"),
        ("model_prices", "ModelPriceRow"),
        ("idempotent_answers", "IdempotentAnswerRow"),
    ],
)
def test_a_row_is_named_by_the_singular(table: str, row: str) -> None:
    assert Table(table, ()).row_type() == row


@pytest.mark.parametrize("table", ["policies", "addresses", "boxes", "batches", "wishes", "statuses", "status", "data"])
def test_a_plural_that_is_not_plain_needs_its_singular_written_down(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No `PolicieRow`."""
    with pytest.raises(ToolError, match="SINGULARS"):
        singular(table)
    monkeypatch.setattr(row_types, "SINGULARS", {table: "one"})
    assert singular(table) == "one"


def test_the_module_says_what_the_schema_says() -> None:
    """Types that `decode` can use, frozen, a class a table, and the organisation of each tenant table."""
    hints = get_type_hints(schema.ApiKeyRow)
    assert hints["scopes"] == frozenset[str]
    assert hints["version"] is int
    assert hints["revoked_at"] == datetime | None
    assert get_type_hints(schema.UsageRecordRow)["estimated"] is bool
    rows: list[Any] = [kind for name, kind in vars(schema).items() if name.endswith("Row")]
    assert len(rows) == len(read(row_types.MIGRATIONS)) > 7
    assert all(row.__dataclass_params__.frozen and fields(row) for row in rows)
    assert schema.TENANT_COLUMNS["orgs"] == "id"
    assert schema.TENANT_COLUMNS["api_keys"] == "org_id"
    assert "users" not in schema.TENANT_COLUMNS
    assert schema.PERSON_COLUMNS["users"] == "id"
    assert schema.PERSON_COLUMNS["sessions"] == "user_id"
    assert "api_keys" not in schema.PERSON_COLUMNS


def test_no_override_is_left_over() -> None:
    """Each names a column that there is, and each shared table exists and has no `org_id`."""
    tables = {table.name: types(table) for table in read(row_types.MIGRATIONS)}
    found = {(table, column): tables[table][column].removesuffix(" | None") for table, column in row_types.JSON_TYPES}
    assert found == row_types.JSON_TYPES
    assert not any({"org_id", "user_id"} & tables[name].keys() for name in row_types.SHARED)
    assert set(row_types.SINGULARS) <= set(tables)


def test_a_changed_migration_makes_the_check_fail(tmp_path: Path) -> None:
    """`make check` is red until the types are made anew."""
    needed = ("tools/__init__.py", "tools/arguments.py", "tools/project.py", "tools/row_types.py")
    for name in (*needed, "src/lib/store/schema.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")

    def outcome(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "tools/row_types.py", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    assert outcome("--check") == (0, "")
    (tmp_path / "migrations" / "9999_notes.sql").write_text(NOTES)
    status, complaint = outcome("--check")
    assert status == 1
    assert "stale" in complaint
    assert outcome() == (0, "")
    assert "class NoteRow" in (tmp_path / "src/lib/store/schema.py").read_text()
    assert outcome("--check") == (0, "")
