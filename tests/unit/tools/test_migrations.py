"""The migrations of the tree against those of a database, without one; and the rules that our own files keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.migrations import (
    D1_FOLDER,
    NO_TRANSACTION,
    POSTGRES_FOLDER,
    Applied,
    Condition,
    Migration,
    compare,
    pending,
    quoted,
    read_tree,
    statements,
    to_adopt,
    to_undo,
)
from tools.project import ToolError

ONE, TWO, THREE = (
    Migration(f"000{number}_x.sql", f"CREATE TABLE t{number} (id text);", Path("nowhere")) for number in (1, 2, 3)
)


def applied(*tree: Migration) -> list[Applied]:
    return [Applied(migration.name, "then", migration.checksum) for migration in tree]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(text, encoding="utf-8")
    return folder


def test_both_dialects_have_the_same_migrations() -> None:
    """Same numbers, same names: what is applied can be told of either."""
    assert [migration.name for migration in read_tree(D1_FOLDER)] == [
        migration.name for migration in read_tree(POSTGRES_FOLDER)
    ]


@pytest.mark.parametrize("migration", [*read_tree(D1_FOLDER), *read_tree(POSTGRES_FOLDER)], ids=lambda m: m.name)
def test_each_has_its_way_back(migration: Migration) -> None:
    assert migration.down()


@pytest.mark.parametrize("folder", [D1_FOLDER, POSTGRES_FOLDER], ids=lambda path: path.name)
def test_no_way_back_is_left_over(folder: Path) -> None:
    assert {path.name for path in (folder / "down").iterdir()} == {migration.name for migration in read_tree(folder)}


def test_what_is_not_applied_is_pending_in_order() -> None:
    assert pending([ONE, TWO, THREE], applied(ONE)) == [TWO, THREE]
    assert pending([ONE], applied(ONE)) == []


def test_the_conditions() -> None:
    """Each of the four, where the names sort."""
    edited = Applied(TWO.name, "then", "another sum")
    unknown = Applied("0009_elsewhere.sql", "then", None)
    lines = compare([ONE, TWO, THREE], [*applied(ONE), edited, unknown])
    assert [line.condition for line in lines] == [
        Condition.APPLIED, Condition.EDITED, Condition.PENDING, Condition.UNKNOWN,
    ]  # fmt: skip
    assert [line.applied_at for line in lines] == ["then", "then", "", "then"]


def test_a_number_below_an_applied_one_is_refused() -> None:
    """Two branches were merged: the databases would differ in what came first."""
    with pytest.raises(ToolError, match=r"0002_x\.sql is pending, but 0003_x\.sql has been applied"):
        pending([ONE, TWO, THREE], applied(ONE, THREE))


@pytest.mark.parametrize("text", ["CREATE TABLE t1 (id  text);", "CREATE TABLE t1 (id text); -- more", ""])
def test_any_edit_of_an_applied_migration_is_refused(text: str) -> None:
    """Comments too: a tool cannot tell which of them mean something."""
    with pytest.raises(ToolError, match=r"0001_x\.sql was edited"):
        pending([Migration(ONE.name, text, ONE.down_path), TWO], applied(ONE))


def test_a_checkout_with_other_line_ends_is_the_same(tmp_path: Path) -> None:
    """Git on another system may write them so."""
    [one] = read_tree(write(tmp_path, m0001_x="CREATE TABLE t1 (\n  id text\n);\n"))
    (tmp_path / "0001_x.sql").write_bytes(b"CREATE TABLE t1 (\r\n  id text\r\n);\r\n")
    assert read_tree(tmp_path)[0].checksum == one.checksum


def test_what_wrangler_applied_has_no_sum_yet() -> None:
    bare = [Applied(ONE.name, "then", None), *applied(TWO)]
    assert to_adopt([ONE, TWO], bare) == [ONE]
    assert pending([ONE, TWO], bare) == []


def test_the_last_is_undone_first() -> None:
    assert to_undo([ONE, TWO, THREE], applied(ONE, TWO), 1) == [TWO]
    assert to_undo([ONE, TWO, THREE], applied(ONE, TWO), 9) == [TWO, ONE]
    assert to_undo([ONE], [], 1) == []


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_are_counted_from_one(steps: int) -> None:
    with pytest.raises(ToolError, match="--steps"):
        to_undo([ONE], applied(ONE), steps)


def test_an_edit_further_down_does_not_stop_the_way_back() -> None:
    """Only those that are undone must be as they were applied."""
    edited = Applied(ONE.name, "then", "another sum")
    assert to_undo([ONE, TWO], [edited, *applied(TWO)], 1) == [TWO]
    with pytest.raises(ToolError, match=r"0001_x\.sql was edited"):
        to_undo([ONE, TWO], [edited, *applied(TWO)], 2)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"m0001_x": "SELECT 1;", "m0003_x": "SELECT 1;"}, "number 0002 comes next"),
        ({"m0002_x": "SELECT 1;"}, "number 0001 comes next"),
        ({"m0001_x": "SELECT 1;", "m0001_y": "SELECT 1;"}, "number 0002 comes next"),
        ({"m1_x": "SELECT 1;"}, "is named like"),
        ({"m0001-x": "SELECT 1;"}, "is named like"),
        ({"m0001_x": "SELECT 1"}, "must end with a semicolon"),
        ({"m0001_x": "-- nothing;\n"}, "must end with a semicolon"),
        ({"m0001_x": "SELECT 1;\nCOMMIT;"}, "must not begin or end a transaction"),
        ({"m0001_x": "begin transaction;\nSELECT 1;"}, "must not begin or end a transaction"),
    ],
)
def test_a_file_that_would_fail_later_is_refused_now(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(ToolError, match=said):
        read_tree(write(tmp_path, **files))


def test_a_block_or_a_trigger_is_no_transaction(tmp_path: Path) -> None:
    """Both have a BEGIN and an END of their own."""
    sql = "DO $$\nBEGIN\n  PERFORM 1;\nEND;\n$$;\nCREATE TRIGGER a AFTER INSERT ON b BEGIN\n  SELECT 1;\nEND;\n"
    assert len(read_tree(write(tmp_path, m0001_x=sql))) == 1


def test_the_marker_is_the_first_line(tmp_path: Path) -> None:
    tree = read_tree(write(tmp_path, m0001_x=f"{NO_TRANSACTION}\nSELECT 1;", m0002_x=f"SELECT 1;\n{NO_TRANSACTION}"))
    assert [migration.in_transaction for migration in tree] == [False, True]


def test_statements_end_where_a_line_ends() -> None:
    sql = f"{NO_TRANSACTION}\nSELECT 'a;b';  \n-- no; statement;\nCREATE INDEX x\n  ON y (z);\n"
    assert statements(sql) == ["SELECT 'a;b'", "CREATE INDEX x\n  ON y (z)"]


def test_a_quote_is_doubled() -> None:
    assert quoted("it's") == "'it''s'"
