"""The wall between organisations on D1, which has no row level security: statements that could pass it are refused.

A statement is judged by its text, once, and what it binds is compared each time. It may pass when each table of an
organisation's rows is held to one organisation wherever it stands:

    SELECT, UPDATE, DELETE   by a condition `table.org_id = ?1` that can't be got around: one of those that AND joins in
                             WHERE, or in ON for the table joined there. Instead of the place there may be the column of
                             a table beside it that is held already: `ON model_prices.org_id = models.org_id`
    INSERT                   the column is listed, and its value is a place or such a column
    ON CONFLICT DO UPDATE    the column is one of the conflict's, or WHERE says `table.org_id = excluded.org_id`

Each such place must then be bound to the organisation of the scope. The rules are strict and not complete: what they do
not understand is refused, so a statement of ours may have to be written more plainly. Like row level security they
guard against our own mistakes; what comes from outside is always bound and never part of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from lib.store.database import TenantViolation
from lib.store.schema import TENANT_COLUMNS
from lib.store.scope import EveryOrg, Org, Scope
from lib.store.sql_text import Item, UnreadableSql, parse
from lib.store.tenancy_rules import NotHeld, places

_PRESENTED = {"api_keys": "secret_hash"}
# What a job may do across organisations, by table. PostgreSQL has a policy for each: see migrations/postgres.
_JOBS = {"idempotent_answers": ("select", "delete"), "orgs": ("select",)}


def check_scope(scope: Scope, sql: str, values: Sequence[object]) -> None:
    """Raise TenantViolation unless the statement keeps to its scope."""
    if isinstance(scope, EveryOrg):
        _check_job(scope.table, sql)
        return
    wanted = scope.id if isinstance(scope, Org) else scope.key_hash
    for place in _org_places(sql) if isinstance(scope, Org) else _key_places(sql):
        if not 1 <= place <= len(values) or values[place - 1] != wanted:
            raise TenantViolation(f"?{place} is not the scope's own: {sql}")


@cache
def _org_places(sql: str) -> frozenset[int]:
    """Return the places to which the organisation must be bound."""
    try:
        return places(_parsed(sql), TENANT_COLUMNS)
    except NotHeld as reason:
        raise TenantViolation(f"{reason}: {sql}") from None


@cache
def _key_places(sql: str) -> frozenset[int]:
    """Return the places to which the presented key's hash must be bound."""
    items = _parsed(sql)
    if items[:1] != ["select"] or not _tenant_tables(items) <= set(_PRESENTED):
        raise TenantViolation(f"who presents a key may read that key, and no more: {sql}")
    try:
        return places(items, _PRESENTED)
    except NotHeld as reason:
        raise TenantViolation(f"{reason}: {sql}") from None


@cache
def _check_job(table: str, sql: str) -> None:
    items = _parsed(sql)
    allowed = _JOBS.get(table, ())
    if not items or items[0] not in allowed or not _tenant_tables(items) <= {table}:
        raise TenantViolation(f"no job may do this to {table} over all organisations: {sql}")


def _parsed(sql: str) -> list[Item]:
    try:
        return parse(sql)
    except UnreadableSql as reason:
        raise TenantViolation(f"unreadable {reason}: {sql}") from None


def _tenant_tables(items: Sequence[Item]) -> set[str]:
    return {word for word in _words(items) if word in TENANT_COLUMNS}


def _words(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        else:
            yield from _words(item)
