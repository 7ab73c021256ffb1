"""Applying and undoing migrations, on both stores: what is done, what is refused, and that a failure leaves nothing."""

from __future__ import annotations

import pytest

from tests.contract.support import schema_d1, schema_postgres
from tests.contract.support.migrating import MORE, THINGS, Ground
from tests.contract.support.rows import COUNTS, TABLES, rows_everywhere
from tests.contract.support.schema import Table
from tools.migrations import BOOKKEEPING, Condition
from tools.project import ToolError
from tools.state import State


def schema(ground: Ground) -> dict[str, Table]:
    return schema_d1.read(ground.where) if isinstance(ground.where, State) else schema_postgres.read(ground.where)


def test_up_data_down_up(ground: Ground) -> None:
    """The way back takes a database with data in every table, and the way forward then makes the same again."""
    target = ground.target()
    applied = target.up()
    assert applied[0] == "0001_initial.sql"
    before = schema(ground)
    target.execute(rows_everywhere("one@first.example")[1])
    assert target.rows(COUNTS) == [dict.fromkeys(TABLES, 1)]
    assert target.down(len(applied)) == applied[::-1]
    assert ground.tables() - BOOKKEEPING == set()
    assert target.up() == applied
    assert schema(ground) == before
    assert target.rows(COUNTS) == [dict.fromkeys(TABLES, 0)]


def test_up_applies_only_what_is_pending(ground: Ground) -> None:
    """In order, once; and the status says which are where."""
    folder = ground.tree(m0001_things=THINGS)
    target = ground.target(folder)
    assert [line.condition for line in target.status()] == [Condition.PENDING]
    assert target.up() == ["0001_things.sql"]
    ground.tree(m0002_more=MORE)
    assert [line.condition for line in target.status()] == [Condition.APPLIED, Condition.PENDING]
    assert target.up() == ["0002_more.sql"]
    assert target.up() == []
    assert target.down(1) == ["0002_more.sql"]
    lines = target.status()
    assert [(line.name, bool(line.applied_at)) for line in lines] == [
        ("0001_things.sql", True),
        ("0002_more.sql", False),
    ]


def test_an_edited_migration_is_refused(ground: Ground) -> None:
    """Nothing pending is applied either, and nothing is undone by a way back that belongs to another text."""
    folder = ground.tree(m0001_things=THINGS)
    target = ground.target(folder)
    target.up()
    ground.tree(m0001_things=("CREATE TABLE things (id text PRIMARY KEY, extra text);", THINGS[1]), m0002_more=MORE)
    assert [line.condition for line in target.status()] == [Condition.EDITED, Condition.PENDING]
    for refused in (target.up, lambda: target.down(1)):
        with pytest.raises(ToolError, match=r"0001_things\.sql was edited .* in a new migration"):
            refused()
    ground.tree(m0001_things=THINGS)
    assert target.up() == ["0002_more.sql"], "the refusal kept the lock"


def test_a_migration_that_is_not_here_is_refused(ground: Ground) -> None:
    """Another checkout is further on: this one must touch nothing."""
    folder = ground.tree(m0001_things=THINGS, m0002_more=MORE)
    target = ground.target(folder)
    target.up()
    (folder / "0002_more.sql").unlink()
    assert [line.condition for line in target.status()] == [Condition.APPLIED, Condition.UNKNOWN]
    for refused in (target.up, lambda: target.down(1)):
        with pytest.raises(ToolError, match=r"0002_more\.sql .* not in this checkout"):
            refused()


def test_a_way_back_that_is_missing_undoes_nothing(ground: Ground) -> None:
    """Also not the later one, which has its way back."""
    folder = ground.tree(m0001_things=(THINGS[0], None), m0002_more=MORE)
    target = ground.target(folder)
    target.up()
    with pytest.raises(ToolError, match=r"0001_things\.sql has no way back: .*down/0001_things\.sql is missing"):
        target.down(2)
    assert [line.condition for line in target.status()] == [Condition.APPLIED] * 2


def test_a_failing_migration_leaves_nothing_behind(ground: Ground) -> None:
    """Its first statement is undone with it; mended, it is applied as if nothing had been."""
    broken = ("CREATE TABLE half (id text);\nINSERT INTO nowhere VALUES (1);", "DROP TABLE half;")
    folder = ground.tree(m0001_things=THINGS, m0002_half=broken)
    target = ground.target(folder)
    with pytest.raises(ToolError, match="nowhere"):
        target.up()
    assert "half" not in ground.tables()
    assert target.status()[1].condition is Condition.PENDING
    ground.tree(m0002_half=("CREATE TABLE half (id text);", broken[1]))
    assert target.up()[-1] == "0002_half.sql"


def test_a_failing_way_back_leaves_everything(ground: Ground) -> None:
    folder = ground.tree(m0001_things=(THINGS[0], "DROP TABLE things;\nDROP TABLE nowhere;"))
    target = ground.target(folder)
    target.up()
    with pytest.raises(ToolError, match="nowhere"):
        target.down(1)
    assert "things" in ground.tables()
    assert target.status()[0].condition is Condition.APPLIED
