"""Limits, budgets and what is added to budgets, as the store holds them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from lib.admission import policy_store
from lib.admission.rule_store import ADJUSTMENTS, BUDGETS, HOLDS, LIMITS, adjustments, delete_expired, milliseconds
from lib.admission.rules import Adjustment, parse_policy
from lib.kernel.ids import new_id
from lib.store.database import CheckViolation, Database, ForeignKeyViolation, Statement
from lib.store.schema import BudgetAdjustmentRow, BudgetRow, LimitRow
from lib.store.table import Table
from lib.store.tenant import Org
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org
from tests.unit.store.sqlite_binding import SqliteBinding, new_database
from tests.unit.store.test_table import LATER, budget, limit

Row = TypeVar("Row", LimitRow, BudgetRow, BudgetAdjustmentRow)


class Store:
    """Two organisations without a rule."""

    def __init__(self) -> None:
        self.database: Database
        self.binding: SqliteBinding
        self.database, self.binding = new_database()
        self.org, self.other = run(seed_org(self.database)), run(seed_org(self.database))

    def limit(self, org: str | None = None, **fields: Any) -> LimitRow:
        return self.insert(LIMITS, replace(limit(org or self.org), **fields))

    def budget(self, org: str | None = None, **fields: Any) -> BudgetRow:
        return self.insert(BUDGETS, replace(budget(org or self.org), **fields))

    def insert(self, table: Table[Row], row: Row, *first: Statement) -> Row:
        assert run(self.database.batch(Org(row.org_id), [*first, table.insert(row)]))[-1]
        return row

    def policy(self, org: str | None = None) -> str:
        return run(policy_store.load_policy(self.database, org or self.org))


@pytest.mark.parametrize(
    "fields",
    [
        {"scope_type": "planet"}, {"scope_id": ""}, {"scope_id": "x" * 257}, {"scope_model": ""}, {"unit": "bytes"},
        {"amount": 0}, {"window_seconds": 0}, {"window_seconds": 2_592_001}, {"window_seconds": None},
        {"unit": "concurrent"}, {"unit": "concurrent", "window_seconds": None, "burst": 1}, {"burst": 0},
        {"burst": 101}, {"version": 0}, {"scope_type": "org"}, {"scope_type": "model", "scope_model": "m"},
    ],
    ids=str,
)  # fmt: skip
def test_the_store_refuses_a_limit_that_makes_no_sense(fields: dict[str, Any]) -> None:
    """The last line, for the day when a rule of ours is forgotten."""
    store = Store()
    with pytest.raises(CheckViolation):
        store.limit(**fields)
    assert run(LIMITS.all(store.database, store.org)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"scope_type": "planet"}, {"scope_id": ""}, {"scope_model": "x" * 257}, {"spend_window": "year"},
        {"spend_window": "Day"}, {"spend_window": "rolling"}, {"limit_nano_usd": -1}, {"limit_nano_usd": 2**53 + 1},
        {"mode": "medium"}, {"version": 0}, {"scope_type": "org"}, {"scope_type": "model", "scope_model": "m"},
    ],
    ids=str,
)  # fmt: skip
def test_the_store_refuses_a_budget_that_makes_no_sense(fields: dict[str, Any]) -> None:
    """As for limits."""
    store = Store()
    with pytest.raises(CheckViolation):
        store.budget(**fields)
    assert run(BUDGETS.all(store.database, store.org)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "concurrent", "window_seconds": None}, {"window_seconds": 2_592_000}, {"burst": 1}, {"burst": 100},
        {"scope_type": "model", "scope_id": "m"}, {"scope_type": "team", "scope_id": "t", "scope_model": "m"},
    ],
    ids=str,
)  # fmt: skip
def test_the_store_takes_what_makes_sense(fields: dict[str, Any]) -> None:
    """At the very borders."""
    store = Store()
    made = store.limit(**fields)
    assert run(LIMITS.get(store.database, store.org, made.id)) == made


def adjustment(org: str, budget_id: str) -> BudgetAdjustmentRow:
    return BudgetAdjustmentRow(new_id(NOW), org, budget_id, "top_up", 5, None, None, NOW, NOW)


class Adjusted(Store):
    """A budget, and another in another organisation."""

    def __init__(self) -> None:
        super().__init__()
        self.budget_id, self.their_budget_id = self.budget().id, self.budget(self.other).id

    def add(self, **fields: Any) -> BudgetAdjustmentRow:
        row = replace(adjustment(self.org, self.budget_id), **fields)
        return self.insert(ADJUSTMENTS, row, delete_expired(row.org_id, row.budget_id, row.created_at))

    def listed(self, before: str = "~", most: int = 99, now: datetime = NOW) -> list[BudgetAdjustmentRow]:
        return run(ADJUSTMENTS.page(self.database, self.org, before, most, HOLDS, self.budget_id, now))

    def get(
        self, adjustment_id: str, org: str | None = None, budget_id: str | None = None, now: datetime = NOW
    ) -> BudgetAdjustmentRow | None:
        place = (org or self.org, adjustment_id, HOLDS, budget_id or self.budget_id, now)
        return run(ADJUSTMENTS.get(self.database, *place))


def test_an_adjustment_is_read_by_its_budgets_name() -> None:
    """Each column; not by another organisation, nor by another budget's name."""
    store = Adjusted()
    made = store.add(kind="override", amount_nano_usd=2**53, note="für das Fest", expires_at=LATER)
    assert store.get(made.id) == made
    assert store.get(made.id, org=store.other) is None
    assert store.get(made.id, budget_id=store.budget().id) is None
    assert store.listed() == [made]


def test_pages_are_newest_first_and_without_what_has_expired() -> None:
    """By id; at its very end an adjustment has expired, and is found no more."""
    store = Adjusted()
    rows = sorted((store.add() for _ in range(4)), key=lambda row: row.id, reverse=True)
    ending = store.add(expires_at=LATER)
    assert store.listed(now=LATER) == rows
    assert store.listed(rows[1].id, 1, LATER) == [rows[2]]
    assert store.get(ending.id, now=LATER - timedelta(microseconds=1)) == ending
    assert store.get(ending.id, now=LATER) is None


def test_a_budget_has_so_many_and_no_more() -> None:
    """Those that have expired make room, and are gone with the next write. Another budget's do not count."""
    store = Adjusted()
    rows = [store.add(expires_at=LATER) for _ in range(ADJUSTMENTS.most)]
    late = adjustment(store.org, store.budget_id)
    with pytest.raises(AssertionError):
        store.insert(ADJUSTMENTS, late)
    assert store.get(late.id) is None
    store.add(budget_id=store.budget().id)
    assert len(store.listed()) == len(rows)
    last = store.add(created_at=LATER)
    assert [row for row in run(ADJUSTMENTS.all(store.database, store.org)) if row.budget_id == store.budget_id] == [
        last
    ]
    assert list(run(adjustments(store.database, store.org, store.budget_id, store.budget_id))) == [store.budget_id]


@pytest.mark.parametrize(
    "fields", [{"kind": "gift"}, {"amount_nano_usd": -1}, {"note": ""}, {"note": "x" * 201}], ids=str
)
def test_the_store_refuses_an_adjustment_that_makes_no_sense(fields: dict[str, Any]) -> None:
    """The last line, for the day when a rule of ours is forgotten."""
    store = Adjusted()
    with pytest.raises(CheckViolation):
        store.add(**fields)


def test_an_adjustment_belongs_to_a_budget_and_goes_with_it() -> None:
    """There is none without one, and none is left behind."""
    store = Adjusted()
    with pytest.raises(ForeignKeyViolation):
        store.add(budget_id=new_id(NOW))
    store.add()
    run(store.database.batch(Org(store.org), [BUDGETS.delete(store.org, store.budget_id)]))
    assert run(ADJUSTMENTS.all(store.database, store.org)) == []


def test_the_policy_tells_them_newest_first() -> None:
    """To the gate, with the millisecond of their end. A budget without any has no such member."""
    store = Adjusted()
    first, second = sorted(new_id(NOW) for _ in range(2))
    store.add(id=second, kind="override", amount_nano_usd=7)
    store.add(id=first, expires_at=LATER)
    bare = store.budget()
    budgets = {budget.id: budget for budget in parse_policy(store.policy()).budgets}
    assert budgets[store.budget_id].adjustments == (
        Adjustment(override=True, amount=7, until_ms=None),
        Adjustment(override=False, amount=5, until_ms=milliseconds(LATER)),
    )
    assert budgets[bare.id].adjustments == ()
    assert ["adjustments" in entry for entry in json.loads(store.policy())["budgets"] if entry["id"] == bare.id] == [
        False
    ]
    assert "adjustments" not in store.policy(store.other)
