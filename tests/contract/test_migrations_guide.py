"""The worked example of docs/migrations.md, run as it stands there on both stores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.support import schema_d1, schema_postgres
from tests.contract.support.databases import FreshDatabase
from tests.contract.support.migrating import Ground
from tests.contract.support.rows import rows_everywhere
from tests.contract.support.schema import Column, Table
from tools.migrations import D1_FOLDER, POSTGRES_FOLDER, Target
from tools.project import ROOT, ToolError
from tools.state import State

BLOCK = re.compile(r"((?:`migrations/[\w/]+\.sql`(?: and )?)+):\n\n```sql\n(.*?)```", re.DOTALL)
OLD_CODE = "INSERT INTO models (org_id, id, provider, upstream_model, price_id, version, created_at, updated_at)"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The migrations of both dialects, and those of the page, which come next."""
    folder = tmp_path / "migrations"
    for source, name in ((D1_FOLDER, "."), (POSTGRES_FOLDER, "postgres")):
        for path in [*source.glob("0*.sql"), *source.glob("down/0*.sql")]:
            to = folder / name / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    for files, sql in BLOCK.findall((ROOT / "docs" / "migrations.md").read_text(encoding="utf-8")):
        for name in re.findall(r"`migrations/([\w/]+\.sql)`", files):
            (folder / name).write_text(sql, encoding="utf-8")
    return folder


def insert_as_old_code(target: Target, org_id: str, name: str) -> None:
    target.execute(f"{OLD_CODE} SELECT '{org_id}', '{name}', 'sim', 'chat', NULL, 1, created_at, updated_at FROM orgs;")


def step_by_step(folder: Path, ground: Ground) -> dict[str, Table]:
    """Walk there with data and old code about, and return the schema; then back, and return nothing of it."""
    later = sorted(path for path in folder.glob("0*_*.sql") if "display_name" in path.name)
    assert len(later) == 4
    aside = [path.rename(path.with_suffix(".later")) for path in later]
    target = ground.target(folder)
    target.up()
    initial = schema_of(ground)
    made, sql = rows_everywhere("one@first.example")
    target.execute(sql)
    aside[0].rename(later[0])
    target.up()
    insert_as_old_code(target, made.org_id, "written-by-old-code")
    for path, to in zip(aside[1:], later[1:], strict=True):
        path.rename(to)
    assert target.up() == [path.name for path in later[1:]]
    assert target.rows("SELECT display_name FROM models ORDER BY id") == [
        {"display_name": "m"},
        {"display_name": "written-by-old-code"},
    ]
    with pytest.raises(ToolError, match=r"NOT NULL constraint failed|violates not-null constraint"):
        insert_as_old_code(target, made.org_id, "too-late")
    there = schema_of(ground)
    assert target.down(4) == [path.name for path in later[::-1]]
    assert schema_of(ground) == initial
    assert target.rows("SELECT count(*) AS n FROM models") == [{"n": 2}]
    return there


def schema_of(ground: Ground) -> dict[str, Table]:
    return schema_d1.read(ground.where) if isinstance(ground.where, State) else schema_postgres.read(ground.where)


def test_the_example_works_and_comes_to_the_same_on_both(
    project: Path, state: State, database: FreshDatabase, tmp_path: Path
) -> None:
    """Expand, backfill, index, contract; what old code may rely on at each; and the way back, with the data kept."""
    on_postgres = step_by_step(project / "postgres", Ground("postgres", tmp_path, database.owner_url))
    assert on_postgres["models"].columns[-1] == Column("display_name", 'text COLLATE "C"', not_null=True, default=None)
    assert step_by_step(project, Ground("d1", tmp_path, state)) == on_postgres
