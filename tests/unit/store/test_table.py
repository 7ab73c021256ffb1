"""Every table of rows that organisations have, by the one helper: read, listed, made while there is room, changed and
deleted at a version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from lib.admission.rule_store import ADJUSTMENTS, BUDGETS, LIMITS
from lib.kernel.ids import new_id
from lib.orgs.role_service import ROLES
from lib.orgs.team_store import TEAMS
from lib.store.database import Database, ForeignKeyViolation, Statement
from lib.store.schema import BudgetAdjustmentRow, BudgetRow, LimitRow, RoleRow, TeamRow
from lib.store.table import Table
from lib.store.tenant import Org
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org
from tests.unit.store.sqlite_binding import new_database

LATER = NOW + timedelta(hours=1)


def limit(org: str) -> LimitRow:
    return LimitRow(new_id(NOW), org, "key", "*", None, "requests", 10, 60, None, 1, NOW, NOW, "Ann's", "keys")


def budget(org: str) -> BudgetRow:
    return BudgetRow(new_id(NOW), org, "key", "*", None, "month", 500, "hard", 1, NOW, NOW, "Ours", "keys")


def adjustment(org: str) -> BudgetAdjustmentRow:
    return BudgetAdjustmentRow(new_id(NOW), org, f"{org[:-1]}b", "top_up", 5, None, None, NOW, NOW)


def role(org: str) -> RoleRow:
    return RoleRow(new_id(NOW), org, "", frozenset({"keys:read", "audit:read"}), 1, NOW, NOW)


def team(org: str) -> TeamRow:
    return TeamRow(new_id(NOW), org, "", 1, NOW, NOW)


# Each table with a row of an organisation, and every column that may change with another value.
ROWS: dict[str, tuple[Table[Any], Callable[[str], Any], dict[str, Any]]] = {
    "limits": (LIMITS, limit, {"name": None, "amount": 3, "window_seconds": 4, "burst": 5}),
    "budgets": (BUDGETS, budget, {"name": "Theirs", "limit_nano_usd": 2**53, "mode": "soft"}),
    "budget_adjustments": (ADJUSTMENTS, adjustment, {}),
    "roles": (ROLES, role, {"name": "Auditor", "permissions": frozenset()}),
    "teams": (TEAMS, team, {"name": "Search"}),
}
every_table = pytest.mark.parametrize("name", ROWS)
every_changing = pytest.mark.parametrize("name", [name for name, (table, *_) in ROWS.items() if table.changes])


class Filled:
    """Two organisations, each with a budget that adjustments can be of, and one table."""

    def __init__(self, name: str) -> None:
        self.table, self._row, self.others = ROWS[name]
        self.database: Database = new_database()[0]
        self.org, self.other = run(seed_org(self.database)), run(seed_org(self.database))
        if self.table is ADJUSTMENTS:
            for org in (self.org, self.other):
                run(self.database.batch(Org(org), [BUDGETS.insert(replace(budget(org), id=f"{org[:-1]}b"))]))

    def new(self, org: str | None = None) -> Any:
        row = self._row(org or self.org)
        return replace(row, name=row.id) if self.table.by == "name" else row

    def runs(self, statement: Statement, org: str | None = None) -> bool:
        """Run a statement in a group; tell whether it did anything."""
        return run(self.database.batch(Org(org or self.org), [statement]))[0] > 0

    def made(self, org: str | None = None) -> Any:
        row = self.new(org)
        assert self.runs(self.table.insert(row), row.org_id)
        return row

    def get(self, row_id: str, org: str | None = None) -> Any:
        return run(self.table.get(self.database, org or self.org, row_id))

    def page(self, after: str, most: int, org: str | None = None) -> list[Any]:
        return run(self.table.page(self.database, org or self.org, after, most))


@every_table
def test_what_is_written_is_read(name: str) -> None:
    """Each column, by the organisation alone."""
    filled = Filled(name)
    for others in ({}, filled.others):
        row = replace(filled.new(), **others)
        assert filled.runs(filled.table.insert(row))
        assert filled.get(row.id) == row
        assert row in run(filled.table.all(filled.database, filled.org))
        assert filled.get(row.id, filled.other) is None
        assert filled.page(filled.table.start, 9, filled.other) == []
        assert run(filled.table.all(filled.database, filled.other)) == []


@every_table
def test_a_page_begins_behind_the_last_row_of_the_one_before(name: str) -> None:
    """By id, which holds the time of making, the newest are first; by another column it goes upwards."""
    filled = Filled(name)
    by = filled.table.by
    rows = sorted((filled.made() for _ in range(5)), key=lambda row: getattr(row, by), reverse=by == "id")
    assert filled.page(filled.table.start, 3) == rows[:3]
    assert filled.page(getattr(rows[2], by), 3) == rows[3:]


@every_changing
def test_a_change_is_of_the_version_that_was_read(name: str) -> None:
    """The second of two that read the same version changes nothing; nor does another organisation. All that may change
    does, and no more.
    """
    filled = Filled(name)
    assert filled.others.keys() == set(filled.table.changes)
    made = filled.made()
    wanted = replace(made, **filled.others, updated_at=LATER)
    assert not filled.runs(filled.table.update(replace(wanted, org_id=filled.other)), filled.other)
    for expected in (True, False):
        assert filled.runs(filled.table.update(wanted)) is expected
        assert filled.get(made.id) == replace(wanted, version=2)


@every_table
def test_deleting_tells_whether_there_was_one(name: str) -> None:
    """Of this organisation, and of this version where one is named."""
    filled = Filled(name)
    made = filled.made()
    assert not filled.runs(filled.table.delete(filled.other, made.id), filled.other)
    at = [(2, False), (1, True)] if filled.table.changes else [(None, True)]
    for version, expected in (*at, (None, False)):
        assert filled.runs(filled.table.delete(filled.org, made.id, version)) is expected
    last = filled.made()
    assert filled.runs(filled.table.delete(filled.org, last.id))
    assert filled.get(last.id) is None


@every_table
def test_there_are_so_many_and_no_more(name: str) -> None:
    """The one too many is not there; another organisation's do not count."""
    filled = Filled(name)
    first, *_ = [filled.made() for _ in range(filled.table.most)]
    late = filled.new()
    assert not filled.runs(filled.table.insert(late))
    assert filled.get(late.id) is None
    filled.made(filled.other)
    assert filled.runs(filled.table.delete(filled.org, first.id))
    filled.made()


@every_table
def test_a_row_belongs_to_an_organisation_that_exists(name: str) -> None:
    """The store itself refuses another."""
    filled = Filled(name)
    with pytest.raises(ForeignKeyViolation):
        filled.made(new_id(NOW))


@every_table
def test_a_declaration_names_columns_of_its_row(name: str) -> None:
    """A column that is misspelt is found here, and not in production."""
    table, *_ = ROWS[name]
    columns = {field.name for field in fields(table.row)}
    assert {"org_id", "id", table.by, *table.changes} <= columns
    assert not table.changes or {"version", "updated_at"} <= columns
