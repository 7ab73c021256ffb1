"""What is added to a budget for a while, in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta

from lib.admission.rules import Adjustment
from lib.store.database import Database, Read, Statement
from lib.store.rows import columns
from lib.store.schema import BudgetAdjustmentRow
from lib.store.scope import Org

MOST_ADJUSTMENTS = 50  # of one budget
OVERRIDE, TOP_UP = "override", "top_up"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ADJUSTMENT = columns(BudgetAdjustmentRow)


async def all_adjustments(database: Database, org_id: str) -> list[BudgetAdjustmentRow]:
    """Return all adjustments of an organisation's budgets; those that have expired may be among them."""
    sql = f"SELECT {_ADJUSTMENT} FROM budget_adjustments WHERE org_id = ?"
    return await database.query(Org(org_id), BudgetAdjustmentRow, sql, org_id)


async def adjustments_between(
    database: Database, org_id: str, first_budget: str, last_budget: str
) -> list[BudgetAdjustmentRow]:
    """Return the adjustments of budgets with ids from the first to the last; those that have expired may be among them.

    A page of budgets is sorted by id, so this is what concerns the page.
    """
    sql = f"SELECT {_ADJUSTMENT} FROM budget_adjustments WHERE org_id = ? AND budget_id >= ? AND budget_id <= ?"
    return await database.query(Org(org_id), BudgetAdjustmentRow, sql, org_id, first_budget, last_budget)


async def list_adjustments(
    database: Database, org_id: str, budget_id: str, before: str, most: int, now: datetime
) -> list[BudgetAdjustmentRow]:
    """Return a budget's adjustments that have not expired and have an id below `before`, newest first."""
    sql = (
        f"SELECT {_ADJUSTMENT} FROM budget_adjustments WHERE org_id = ? AND budget_id = ? AND id < ?"
        " AND (expires_at IS NULL OR expires_at > ?) ORDER BY id DESC LIMIT ?"
    )
    scope = Org(org_id)
    return await database.query(scope, BudgetAdjustmentRow, sql, org_id, budget_id, before, now, most, read=Read.RECENT)


async def get_adjustment(
    database: Database, org_id: str, budget_id: str, adjustment_id: str, now: datetime
) -> BudgetAdjustmentRow | None:
    """Return one adjustment of a budget, or None where there is none of this id, or it has expired."""
    sql = (
        f"SELECT {_ADJUSTMENT} FROM budget_adjustments WHERE org_id = ? AND budget_id = ? AND id = ?"
        " AND (expires_at IS NULL OR expires_at > ?)"
    )
    return await database.one(Org(org_id), BudgetAdjustmentRow, sql, org_id, budget_id, adjustment_id, now)


async def insert_adjustment(database: Database, row: BudgetAdjustmentRow) -> bool:
    """Write a new adjustment, unless its budget has as many as it may; tell whether it was written.

    Those of the budget that have expired when the row was made are deleted. Raises ForeignKeyViolation where there is
    no such budget.
    """
    # A group, as for budgets: see `lib.admission.policy_store`.
    group = [
        Statement(
            "DELETE FROM budget_adjustments WHERE org_id = ? AND budget_id = ? AND expires_at <= ?",
            (row.org_id, row.budget_id, row.created_at),
        ),
        Statement(
            "INSERT INTO budget_adjustments (id, org_id, budget_id, kind, amount_nano_usd, note, expires_at,"
            " created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            astuple(row),
        ),
        Statement(
            "DELETE FROM budget_adjustments WHERE org_id = ?1 AND budget_id = ?2 AND id = ?3"
            " AND (SELECT count(*) FROM budget_adjustments WHERE org_id = ?1 AND budget_id = ?2) > ?4",
            (row.org_id, row.budget_id, row.id, MOST_ADJUSTMENTS),
        ),
    ]
    *_, one_too_many = await database.batch(Org(row.org_id), group)
    return not one_too_many


async def delete_adjustment(database: Database, org_id: str, budget_id: str, adjustment_id: str) -> bool:
    """Delete an adjustment; tell whether there was one."""
    sql = "DELETE FROM budget_adjustments WHERE org_id = ? AND budget_id = ? AND id = ?"
    return await database.execute(Org(org_id), sql, org_id, budget_id, adjustment_id) > 0


def by_budget(rows: Sequence[BudgetAdjustmentRow]) -> dict[str, list[Adjustment]]:
    """Return the adjustments of each budget as its gate counts with them: newest first."""
    found: dict[str, list[Adjustment]] = {}
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        until = None if row.expires_at is None else milliseconds(row.expires_at)
        found.setdefault(row.budget_id, []).append(Adjustment(row.kind == OVERRIDE, row.amount_nano_usd, until))
    return found


def milliseconds(time: datetime) -> int:
    """Return a time in whole milliseconds since 1970: exactly, which a float would not be."""
    return (time - EPOCH) // timedelta(milliseconds=1)
