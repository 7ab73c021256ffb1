"""Conditions of changes: SELECTs that find a row exactly where they hold, with places without numbers."""

from __future__ import annotations

from lib.store.database import Statement


def found(table: str, org_id: str, row_id: str, version: int | None = None, *, active: bool = False) -> Statement:
    """Return what finds an organisation's row: with `version`, at that one only; with `active`, one not revoked."""
    revoked = " AND revoked_at IS NULL" if active else ""
    sql = f"SELECT 1 FROM {table} WHERE org_id = ? AND id = ?{revoked}"
    return Statement(sql, (org_id, row_id)) if version is None else _at(sql, org_id, row_id, version)


def found_owner(table: str, owner_id: str, version: int) -> Statement:
    """Return what finds an organisation (in `orgs`) or a person (in `users`) at this version."""
    return _at(f"SELECT 1 FROM {table} WHERE id = ?", owner_id, version)


def _at(sql: str, *values: str | int) -> Statement:
    return Statement(f"{sql} AND version = ?", values)
