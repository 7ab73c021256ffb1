"""Limits and budgets as the one text that the organisation's gate takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from lib.admission import rule_store
from lib.admission.rule_store import BUDGETS, KEYS, LIMITS
from lib.admission.rules import LEASED, Adjustment
from lib.store.database import Database
from lib.store.schema import BudgetRow, LimitRow
from lib.store.tenant import Org
from lib.tenants import org_store

DEFAULT_TIME_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class _Line:
    id: str
    line_key_id: str | None


async def load_policy(database: Database, org_id: str) -> str:
    """Return an organisation's rules and time zone as the JSON text that its gate takes."""
    org = await org_store.get_org(database, org_id)
    limits, budgets = await LIMITS.all(database, org_id), await BUDGETS.all(database, org_id)
    lines = await lines_of_rules(database, org_id)
    adjusted = await rule_store.adjustments(database, org_id)
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


def minted(row: BudgetRow, until: datetime) -> str:
    """Return what the gate is told of a new browser's key: its budget, which it may forget from `until` on."""
    rule = _budget(row, (), {}) | {"until_ms": rule_store.milliseconds(until)}
    return json.dumps({"budget": rule}, ensure_ascii=False, separators=(",", ":"))


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
