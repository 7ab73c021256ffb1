"""Limits and budgets in the store, and as the one text that the organisation's gate takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from lib.admission import adjustment_store
from lib.admission.rules import LEASED, Adjustment
from lib.identity import org_store
from lib.store.database import Database, Read, Statement
from lib.store.rows import columns
from lib.store.schema import BudgetRow, LimitRow
from lib.store.scope import Org

KEYS, MEMBERS = "keys", "members"  # what a team's rule covers
MOST_LIMITS = 200
MOST_BUDGETS = 200  # that somebody has made by hand; those of browsers' keys are counted for themselves
MOST_MINTED = 500
DEFAULT_TIME_ZONE = "UTC"

_LIMIT = columns(LimitRow)
_BUDGET = columns(BudgetRow)
# Of a budget: it was made with a browser's key. `?1` is the organisation.
_MINTED = (
    "scope_type = 'key' AND EXISTS (SELECT 1 FROM api_keys"
    " WHERE api_keys.org_id = ?1 AND api_keys.id = budgets.scope_id AND api_keys.kind = 'browser'"
)


@dataclass(frozen=True, slots=True)
class _Line:
    id: str
    line_key_id: str | None


async def load_policy(database: Database, org_id: str) -> str:
    """Return an organisation's rules and time zone as the JSON text that its gate takes."""
    org = await org_store.get_org(database, org_id)
    limits = await database.query(Org(org_id), LimitRow, f"SELECT {_LIMIT} FROM limits WHERE org_id = ?", org_id)
    budgets = await database.query(Org(org_id), BudgetRow, f"SELECT {_BUDGET} FROM budgets WHERE org_id = ?", org_id)
    lines = await lines_of_rules(database, org_id)
    adjusted = adjustment_store.by_budget(await adjustment_store.all_adjustments(database, org_id))
    policy: dict[str, object] = {
        "time_zone": org.time_zone if org else DEFAULT_TIME_ZONE,
        "limits": [_limit(row, lines) for row in sorted(limits, key=lambda row: row.id)],
        "budgets": [_budget(row, adjusted.get(row.id, ()), lines) for row in sorted(budgets, key=lambda row: row.id)],
    }
    if org and org.admission == LEASED:
        policy["admission"] = LEASED
    return json.dumps(policy, ensure_ascii=False, separators=(",", ":"))


async def lines_of_rules(database: Database, org_id: str) -> Mapping[str, str]:
    """Return the lines of the keys that rules are about, by the key: of those that have replaced another."""
    sql = (
        "SELECT id, line_key_id FROM api_keys WHERE org_id = ?1 AND line_key_id IS NOT NULL AND"
        " (id IN (SELECT scope_id FROM limits WHERE org_id = ?1 AND scope_type = 'key')"
        " OR id IN (SELECT scope_id FROM budgets WHERE org_id = ?1 AND scope_type = 'key'))"
    )
    return {row.id: row.line_key_id or row.id for row in await database.query(Org(org_id), _Line, sql, org_id)}


def move_rules(org_id: str, key_id: str, new_id: str, now: datetime) -> list[Statement]:
    """Return the statements that make the rules about a key those of its successor, where there is one.

    What is counted stays: the gate counts by the line of both (see `lines_of_rules`).
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


async def list_limits(database: Database, org_id: str, before: str, most: int) -> list[LimitRow]:
    """Return limits with an id below `before`, newest first."""
    sql = f"SELECT {_LIMIT} FROM limits WHERE org_id = ? AND id < ? ORDER BY id DESC LIMIT ?"
    return await database.query(Org(org_id), LimitRow, sql, org_id, before, most, read=Read.RECENT)


async def get_limit(database: Database, org_id: str, limit_id: str) -> LimitRow | None:
    """Return one limit, or None when the organisation has none of this id."""
    sql = f"SELECT {_LIMIT} FROM limits WHERE org_id = ? AND id = ?"
    return await database.one(Org(org_id), LimitRow, sql, org_id, limit_id)


async def insert_limit(database: Database, row: LimitRow) -> bool:
    """Write a new limit, unless the organisation has as many as it may; tell whether it was written."""
    # Not a count in the INSERT alone: that would be one statement, and two at once would both find room on PostgreSQL.
    # A group is serializable.
    group = [
        Statement(
            "INSERT INTO limits (id, org_id, scope_type, scope_id, scope_model, unit, amount, window_seconds, burst,"
            " version, created_at, updated_at, name, covers)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            astuple(row),
        ),
        Statement(
            "DELETE FROM limits WHERE org_id = ?1 AND id = ?2 AND (SELECT count(*) FROM limits WHERE org_id = ?1) > ?3",
            (row.org_id, row.id, MOST_LIMITS),
        ),
    ]
    _, one_too_many = await database.batch(Org(row.org_id), group)
    return not one_too_many


async def update_limit(database: Database, row: LimitRow, version: int) -> bool:
    """Write the name and numbers of a limit that is still at `version`; tell whether it was."""
    changed = await database.execute(
        Org(row.org_id),
        "UPDATE limits SET name = ?, amount = ?, window_seconds = ?, burst = ?, version = version + 1, updated_at = ?"
        " WHERE org_id = ? AND id = ? AND version = ?",
        row.name,
        row.amount,
        row.window_seconds,
        row.burst,
        row.updated_at,
        row.org_id,
        row.id,
        version,
    )
    return changed > 0


async def delete_limit(database: Database, org_id: str, limit_id: str, expected_version: int | None) -> bool:
    """Delete a limit, where `expected_version` is None or still its own; tell whether there was one."""
    sql = (
        "DELETE FROM limits WHERE org_id = ?1 AND id = ?2"
        " AND (CAST(?3 AS BIGINT) IS NULL OR version = CAST(?3 AS BIGINT))"
    )
    return await database.execute(Org(org_id), sql, org_id, limit_id, expected_version) > 0


async def list_budgets(database: Database, org_id: str, before: str, most: int) -> list[BudgetRow]:
    """Return budgets with an id below `before`, newest first."""
    sql = f"SELECT {_BUDGET} FROM budgets WHERE org_id = ? AND id < ? ORDER BY id DESC LIMIT ?"
    return await database.query(Org(org_id), BudgetRow, sql, org_id, before, most, read=Read.RECENT)


async def get_budget(database: Database, org_id: str, budget_id: str) -> BudgetRow | None:
    """Return one budget, or None when the organisation has none of this id."""
    sql = f"SELECT {_BUDGET} FROM budgets WHERE org_id = ? AND id = ?"
    return await database.one(Org(org_id), BudgetRow, sql, org_id, budget_id)


async def insert_budget(database: Database, row: BudgetRow) -> bool:
    """Write a new budget, unless the organisation has as many as it may; tell whether it was written."""
    # A group, as for limits.
    group = [
        Statement(
            "INSERT INTO budgets (id, org_id, scope_type, scope_id, scope_model, spend_window, limit_nano_usd, mode,"
            " version, created_at, updated_at, name, covers)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            astuple(row),
        ),
        Statement(
            "DELETE FROM budgets WHERE org_id = ?1 AND id = ?2"
            f" AND (SELECT count(*) FROM budgets WHERE org_id = ?1 AND NOT ({_MINTED}))) > ?3",
            (row.org_id, row.id, MOST_BUDGETS),
        ),
    ]
    _, one_too_many = await database.batch(Org(row.org_id), group)
    return not one_too_many


def insert_minted(row: BudgetRow, maker_id: str) -> Statement:
    """Return the statement that writes the budget of a browser's key, unless there are as many of those as there may,
    or the key that mints it was revoked or suspended meanwhile.

    For a group, as above, which writes the key too.
    """
    return Statement(
        "INSERT INTO budgets (org_id, id, scope_type, scope_id, scope_model, spend_window, limit_nano_usd, mode,"
        " version, created_at, updated_at, name, covers)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13"
        f" WHERE (SELECT count(*) FROM budgets WHERE org_id = ?1 AND {_MINTED})) < ?14"
        " AND EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?1 AND id = ?15 AND revoked_at IS NULL"
        " AND org_suspended_at IS NULL AND person_suspended_at IS NULL)",
        (row.org_id, row.id, *astuple(row)[2:], MOST_MINTED, maker_id),
    )


def minted(row: BudgetRow, until: datetime) -> str:
    """Return what the gate is told of a new browser's key: its budget, which it may forget from `until` on."""
    rule = _budget(row, (), {}) | {"until_ms": adjustment_store.milliseconds(until)}
    return json.dumps({"budget": rule}, ensure_ascii=False, separators=(",", ":"))


def delete_of_ended_keys(org_id: str, before: datetime) -> Statement:
    """Return the statement that deletes the budgets of browsers' keys that ended before a moment."""
    return Statement(
        f"DELETE FROM budgets WHERE org_id = ?1 AND {_MINTED} AND api_keys.expires_at < ?2)", (org_id, before)
    )


async def update_budget(database: Database, row: BudgetRow, version: int) -> bool:
    """Write the name, amount and mode of a budget that is still at `version`; tell whether it was."""
    changed = await database.execute(
        Org(row.org_id),
        "UPDATE budgets SET name = ?, limit_nano_usd = ?, mode = ?, version = version + 1, updated_at = ?"
        " WHERE org_id = ? AND id = ? AND version = ?",
        row.name,
        row.limit_nano_usd,
        row.mode,
        row.updated_at,
        row.org_id,
        row.id,
        version,
    )
    return changed > 0


async def delete_budget(database: Database, org_id: str, budget_id: str, expected_version: int | None) -> bool:
    """Delete a budget, where `expected_version` is None or still its own; tell whether there was one."""
    sql = (
        "DELETE FROM budgets WHERE org_id = ?1 AND id = ?2"
        " AND (CAST(?3 AS BIGINT) IS NULL OR version = CAST(?3 AS BIGINT))"
    )
    return await database.execute(Org(org_id), sql, org_id, budget_id, expected_version) > 0


def _limit(row: LimitRow, lines: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "scope": _scope(row, lines),
        "unit": row.unit,
        "limit": row.amount,
        "window_ms": None if row.window_seconds is None else row.window_seconds * 1000,
        "burst": row.burst,
        "name": row.name,
        "version": row.version,
    }


def _budget(row: BudgetRow, adjustments: Sequence[Adjustment], lines: Mapping[str, str]) -> dict[str, Any]:
    budget = {
        "id": row.id,
        "scope": _scope(row, lines),
        "window": row.spend_window,
        "limit": row.limit_nano_usd,
        "mode": row.mode,
        "name": row.name,
        "version": row.version,
    }
    return budget | {"adjustments": [astuple(one) for one in adjustments]} if adjustments else budget


def _scope(row: LimitRow | BudgetRow, lines: Mapping[str, str]) -> dict[str, str | None]:
    subject = lines.get(row.scope_id, row.scope_id) if row.scope_type == "key" else row.scope_id
    scope = {"type": row.scope_type, "id": subject, "model": row.scope_model}
    return scope | {"covers": row.covers} if row.covers != KEYS else scope
