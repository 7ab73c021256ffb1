"""A migration without a transaction, for what PostgreSQL does only outside one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.support.databases import FreshDatabase, query
from tests.contract.support.migrating import THINGS, write_tree
from tools.d1_target import D1Target
from tools.migrations import NO_TRANSACTION, Condition
from tools.postgres_target import PostgresTarget
from tools.project import ToolError
from tools.state import State

INDEX = (
    f"{NO_TRANSACTION}\n-- A comment with a semicolon;\nDROP INDEX CONCURRENTLY IF EXISTS things_by_note;\n"
    "CREATE INDEX CONCURRENTLY things_by_note ON things (note);"
)
BACK = f"{NO_TRANSACTION}\nDROP INDEX CONCURRENTLY things_by_note;"
VALID = "SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = 'things_by_note'::regclass"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    things = ("CREATE TABLE things (id text PRIMARY KEY, note text);", THINGS[1])
    return write_tree(tmp_path / "tree", {"0001_things.sql": things})


def test_an_index_is_made_beside_the_traffic(database: FreshDatabase, tree: Path) -> None:
    """And dropped so; with the marker only, since PostgreSQL refuses both inside a transaction."""
    target = PostgresTarget(database.owner_url, folder=tree)
    write_tree(tree, {"0002_index.sql": (INDEX.removeprefix(NO_TRANSACTION), BACK)})
    with pytest.raises(ToolError, match="cannot run inside a transaction block"):
        target.up()
    write_tree(tree, {"0002_index.sql": (INDEX, BACK)})
    assert target.up() == ["0002_index.sql"]
    assert query(database.owner_url, VALID) == [{"valid": True}]
    assert target.down(1) == ["0002_index.sql"]


def test_one_that_failed_in_the_middle_is_run_again(database: FreshDatabase, tree: Path) -> None:
    """What came before stays, with an index that is invalid. Written as above, a second run mends it."""
    target = PostgresTarget(database.owner_url, folder=write_tree(tree, {}))
    target.up()
    target.execute("INSERT INTO things VALUES ('1', 'same'), ('2', 'same')")
    write_tree(tree, {"0002_index.sql": (INDEX.replace("CREATE INDEX", "CREATE UNIQUE INDEX"), BACK)})
    with pytest.raises(
        ToolError, match=r"0002_index\.sql runs without a transaction.* statement 2 failed: .*things_by_note"
    ):
        target.up()
    assert query(database.owner_url, VALID) == [{"valid": False}]
    assert target.status()[1].condition is Condition.PENDING
    target.execute("DELETE FROM things WHERE id = '2'")
    assert target.up() == ["0002_index.sql"]
    assert query(database.owner_url, VALID) == [{"valid": True}]


def test_d1_refuses_the_marker(state: State, tmp_path: Path) -> None:
    """It has no such thing: the file would run in a transaction in spite of what it says."""
    folder = write_tree(tmp_path / "tree", {"0001_things.sql": (f"{NO_TRANSACTION}\n{THINGS[0]}", THINGS[1])})
    with pytest.raises(ToolError, match="D1 runs every migration in a transaction"):
        D1Target.local(state, folder=folder).up()
