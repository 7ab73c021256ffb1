"""What is added to budgets, in the store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.admission import adjustment_store, policy_store
from lib.admission.adjustment_store import MOST_ADJUSTMENTS, milliseconds
from lib.admission.rules import Adjustment, parse_policy
from lib.ids import new_id
from lib.store.database import CheckViolation, ForeignKeyViolation
from lib.store.schema import BudgetAdjustmentRow
from tests.unit.admission.test_policy_store import LATER, Store
from tests.unit.fakes import NOW, run


def adjustment(org: str, budget_id: str) -> BudgetAdjustmentRow:
    return BudgetAdjustmentRow(new_id(NOW), org, budget_id, "top_up", 5, None, None, NOW, NOW)


class Adjusted(Store):
    """A budget, and another in another organisation."""

    def __init__(self) -> None:
        super().__init__()
        self.budget_id, self.their_budget_id = self.budget().id, self.budget(self.other).id

    def add(self, **fields: Any) -> BudgetAdjustmentRow:
        row = replace(adjustment(self.org, self.budget_id), **fields)
        assert run(adjustment_store.insert_adjustment(self.database, row))
        return row

    def listed(self, before: str = "~", most: int = 99, now: datetime = NOW) -> list[BudgetAdjustmentRow]:
        return run(adjustment_store.list_adjustments(self.database, self.org, self.budget_id, before, most, now))

    def get(self, adjustment_id: str, **other: Any) -> BudgetAdjustmentRow | None:
        place = {"org_id": self.org, "budget_id": self.budget_id, "now": NOW, **other}
        return run(adjustment_store.get_adjustment(self.database, adjustment_id=adjustment_id, **place))


def test_what_is_written_is_read() -> None:
    """Each column; not by another organisation, nor by another budget's name."""
    store = Adjusted()
    made = store.add(kind="override", amount_nano_usd=2**53, note="für das Fest", expires_at=LATER)
    assert store.get(made.id) == made
    assert store.get(made.id, org_id=store.other) is None
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
    rows = [store.add(expires_at=LATER) for _ in range(MOST_ADJUSTMENTS)]
    late = adjustment(store.org, store.budget_id)
    assert not run(adjustment_store.insert_adjustment(store.database, late))
    assert store.get(late.id) is None
    store.add(budget_id=store.budget().id)
    assert len(store.listed()) == len(rows)
    last = store.add(created_at=LATER)
    assert run(adjustment_store.adjustments_between(store.database, store.org, store.budget_id, store.budget_id)) == [
        last
    ]


def test_deleting_tells_whether_there_was_one() -> None:
    """Of this organisation and this budget."""
    store = Adjusted()
    made = store.add()
    for org, budget_id, expected in (
        (store.other, store.budget_id, False),
        (store.org, store.their_budget_id, False),
        (store.org, store.budget_id, True),
        (store.org, store.budget_id, False),
    ):
        assert run(adjustment_store.delete_adjustment(store.database, org, budget_id, made.id)) == expected


@pytest.mark.parametrize(
    "fields", [{"kind": "gift"}, {"amount_nano_usd": -1}, {"note": ""}, {"note": "x" * 201}], ids=str
)
def test_the_store_refuses_what_makes_no_sense(fields: dict[str, Any]) -> None:
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
    run(policy_store.delete_budget(store.database, store.org, store.budget_id, None))
    assert run(adjustment_store.all_adjustments(store.database, store.org)) == []


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
