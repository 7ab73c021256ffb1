"""The tables of limits, budgets and what is added to budgets for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lib.admission.rules import Adjustment
from lib.store.database import Database, Statement
from lib.store.schema import BudgetAdjustmentRow, BudgetRow, LimitRow
from lib.store.table import Table
from lib.store.tenant import Org

KEYS, MEMBERS = "keys", "members"  # what a team's rule covers
OVERRIDE, TOP_UP = "override", "top_up"
MOST_MINTED = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Of a budget: it was made with a browser's key. `?1` is the organisation.
_MINTED = (
    "scope_type = 'key' AND EXISTS (SELECT 1 FROM api_keys"
    " WHERE api_keys.org_id = ?1 AND api_keys.id = budgets.scope_id AND api_keys.kind = 'browser'"
)

LIMITS = Table("limits", LimitRow, most=200, changes=("name", "amount", "window_seconds", "burst"))
# So many that somebody has made by hand; those of browsers' keys are counted for themselves.
BUDGETS = Table("budgets", BudgetRow, most=200, changes=("name", "limit_nano_usd", "mode"), counted=f"NOT ({_MINTED}))")
ADJUSTMENTS = Table("budget_adjustments", BudgetAdjustmentRow, most=50, counted="budget_id = ?3")  # of one budget

HOLDS = " AND budget_id = ? AND (expires_at IS NULL OR expires_at > ?)"  # of a budget's adjustments at a moment


def move_rules(org_id: str, key_id: str, new_id: str, now: datetime) -> list[Statement]:
    """Return the statements that make the rules about a key those of its successor, where there is one.

    What is counted stays: the gate counts by the line of both (see `lib.admission.policy_store.lines_of_rules`).
    """
    return [
        Statement(
            f"UPDATE {table} SET scope_id = ?3, version = version + 1, updated_at = ?4"
            " WHERE org_id = ?1 AND scope_type = 'key' AND scope_id = ?2"
            " AND EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?1 AND id = ?3)",
            (org_id, key_id, new_id, now),
        )
        for table in ("limits", "budgets")
    ]


def insert_minted(row: BudgetRow, maker_id: str) -> Statement:
    """Return the statement that writes the budget of a browser's key, unless there are as many of those as there may,
    or the key that mints it was revoked or suspended meanwhile.

    For a group that writes the key too.
    """
    return BUDGETS.insert_where(
        row,
        f"(SELECT count(*) FROM budgets WHERE org_id = ?1 AND {_MINTED})) < ?14"
        " AND EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?1 AND id = ?15 AND revoked_at IS NULL"
        " AND org_suspended_at IS NULL AND person_suspended_at IS NULL)",
        MOST_MINTED,
        maker_id,
    )


def delete_of_ended_keys(org_id: str, before: datetime) -> Statement:
    """Return the statement that deletes the budgets of browsers' keys that ended before a moment."""
    return Statement(
        f"DELETE FROM budgets WHERE org_id = ?1 AND {_MINTED} AND api_keys.expires_at < ?2)", (org_id, before)
    )


def delete_expired(org_id: str, budget_id: str, now: datetime) -> Statement:
    """Return the statement that deletes a budget's adjustments that have expired."""
    sql = "DELETE FROM budget_adjustments WHERE org_id = ? AND budget_id = ? AND expires_at <= ?"
    return Statement(sql, (org_id, budget_id, now))


async def adjustments(
    database: Database, org_id: str, first_budget: str = "", last_budget: str = "~"
) -> dict[str, list[Adjustment]]:
    """Return the adjustments of budgets with ids from the first to the last, as gates count with them: newest first.

    Those that have expired may be among them. A page of budgets is sorted by id, so this is what concerns the page.
    """
    rows = await database.query(
        Org(org_id),
        BudgetAdjustmentRow,
        f"SELECT {ADJUSTMENTS.columns} FROM budget_adjustments WHERE org_id = ? AND budget_id >= ? AND budget_id <= ?",
        org_id,
        first_budget,
        last_budget,
    )
    return _by_budget(rows)


def _by_budget(rows: Sequence[BudgetAdjustmentRow]) -> dict[str, list[Adjustment]]:
    found: dict[str, list[Adjustment]] = {}
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        until = None if row.expires_at is None else milliseconds(row.expires_at)
        found.setdefault(row.budget_id, []).append(Adjustment(row.kind == OVERRIDE, row.amount_nano_usd, until))
    return found


def milliseconds(time: datetime) -> int:
    """Return a time in whole milliseconds since 1970: exactly, which a float would not be."""
    return (time - EPOCH) // timedelta(milliseconds=1)
