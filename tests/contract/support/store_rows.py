"""Rows for the stores' contract, written and read through the port."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lib.ledger.usage import TOKENS
from lib.store.database import Statement
from lib.store.tenant import Org
from tests.contract.support.store_targets import NOW, Target

ROWS_A_STATEMENT = 1000


def usage_statement(org: Org, key_id: str, record_id: str, **changes: Any) -> Statement:
    """What writes one usage record, with the columns that the test is about."""
    columns = {
        "id": record_id,
        "org_id": org.id,
        "key_id": key_id,
        **dict.fromkeys(("endpoint", "model", "provider", "upstream_model"), "x"),
        "streamed": True,
        "cause": "finished",
        "estimated": False,
        **dict.fromkeys((*TOKENS, "duration_ms"), 0),
        **dict.fromkeys(("started_at", "created_at", "updated_at"), NOW),
        **changes,
    }
    places = ", ".join("?" * len(columns))
    return Statement(f"INSERT INTO usage_records ({', '.join(columns)}) VALUES ({places})", tuple(columns.values()))


def usage(target: Target, org: Org, **changes: Any) -> str:
    """Write one usage record; return its id."""
    record_id = target.new_key(org)  # any id of the right length
    target.client.batch(org, usage_statement(org, target.new_key(org), record_id, **changes))
    return record_id


def used(target: Target, org: Org, **columns: type) -> tuple[Any, ...]:
    """Read columns of the organisation's only usage record."""
    sql = f"SELECT {', '.join(columns)} FROM usage_records WHERE org_id = ?"
    [row] = target.client.query(org, columns, sql, org.id)
    return row


def write_models(target: Target, org: Org, rows: Sequence[tuple[str, int]]) -> None:
    """Write models by name and version, in statements of a bounded size."""
    listed = target.client.dialect.json_rows("?1", {"id": str, "version": int})
    sql = (
        "INSERT INTO models (org_id, id, provider, upstream_model, version, created_at, updated_at)"
        f" SELECT ?2, sent.id, 'sim', 'chat', sent.version, ?3, ?3 FROM {listed} AS sent WHERE true"
    )
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        part = [{"id": name, "version": version} for name, version in rows[start : start + ROWS_A_STATEMENT]]
        assert target.client.execute(org, sql, json.dumps(part), org.id, NOW) == len(part)


def models(target: Target, org: Org) -> list[tuple[str, str, int]]:
    """The organisation's models: name, provider, version."""
    sql = "SELECT id, provider, version FROM models WHERE org_id = ? ORDER BY id"
    rows: Iterable[tuple[Any, ...]] = target.client.query(
        org, {"id": str, "provider": str, "version": int}, sql, org.id
    )
    return [(str(name), str(provider), int(version)) for name, provider, version in rows]
