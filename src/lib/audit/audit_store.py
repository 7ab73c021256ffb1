"""The audit log in the store: rows are added and read, never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from lib.audit.chain import EMPTY, Head, Link, Log
from lib.store.database import Database, Statement, Value
from lib.store.rows import columns
from lib.store.schema import AuditEventRow, PersonEventRow
from lib.store.scope import Org, Person, Scope

EXPORT_ROWS = 500  # in memory at a time
BEYOND_ALL = 2**53  # above every `seq`
# What an event is before it has its place: no store runs it.
UNPLACED = "an event without its place"

Row = TypeVar("Row", AuditEventRow, PersonEventRow)
_ORG_COLUMNS = columns(AuditEventRow)
_PERSON_COLUMNS = columns(PersonEventRow)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows: those from `start` on and before `end`, and of all that the rest names."""

    start: datetime
    end: datetime
    action: str | None = None
    actor: str | None = None
    target: str | None = None
    result: str | None = None


async def head(database: Database, log: Log, owner: str) -> Head:
    """Return the end of somebody's chain."""
    scope: Scope = Org(owner) if log is Log.ORG else Person(owner)
    sql = f"SELECT seq, hash FROM {log} WHERE {log.owner_column} = ? ORDER BY seq DESC LIMIT 1"
    return await database.one(scope, Head, sql, owner) or EMPTY


def insert(link: Link, only_if: Statement | None) -> Statement:
    """Return the statement that adds a row, where `only_if` finds something."""
    row = row_of(link)
    listed, places, values = ", ".join(row), ", ".join("?" * len(row)), tuple(row.values())
    if only_if is None:
        return Statement(f"INSERT INTO {link.event.log} ({listed}) VALUES ({places})", values)
    sql = f"INSERT INTO {link.event.log} ({listed}) SELECT {places} WHERE EXISTS ({only_if.sql})"
    return Statement(sql, values + only_if.values)


def row_of(link: Link) -> dict[str, Value]:
    """Return a row as it is stored, by column."""
    event = link.event
    listed = _ORG_COLUMNS if event.log is Log.ORG else _PERSON_COLUMNS
    values: tuple[Value, ...] = (
        event.owner, link.seq, event.id, event.action, event.actor, event.target, event.result, event.address,
        event.request_id, event.details, link.previous_hash, link.hash, event.at, event.at,
    )  # fmt: skip
    return dict(zip(listed.split(", "), values, strict=True))


def found(table: str, org_id: str, row_id: str, version: int | None = None, *, active: bool = False) -> Statement:
    """Return what finds an organisation's row: with `version`, at that one only; with `active`, one not revoked."""
    conditions, values = "org_id = ? AND id = ?", (org_id, row_id)
    if active:
        conditions += " AND revoked_at IS NULL"
    if version is None:
        return Statement(f"SELECT 1 FROM {table} WHERE {conditions}", values)
    return Statement(f"SELECT 1 FROM {table} WHERE {conditions} AND version = ?", (*values, version))


def missing(table: str, org_id: str, row_id: str) -> Statement:
    """Return what finds something exactly where there is no such row."""
    return Statement(f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE org_id = ? AND id = ?)", (org_id, row_id))


def found_org(org_id: str, version: int) -> Statement:
    """Return what finds an organisation at this version."""
    return Statement("SELECT 1 FROM orgs WHERE id = ? AND version = ?", (org_id, version))


async def newest(database: Database, org_id: str, wanted: AuditFilter, before: int, limit: int) -> list[AuditEventRow]:
    """Return an organisation's rows with a number below `before`, newest first."""
    return await _page(database, org_id, wanted, before, limit, ("<", "DESC"))


async def oldest(database: Database, org_id: str, wanted: AuditFilter, after: int, limit: int) -> list[AuditEventRow]:
    """Return an organisation's rows with a number above `after`, oldest first."""
    return await _page(database, org_id, wanted, after, limit, (">", "ASC"))


async def following(
    database: Database, org_id: str, wanted: AuditFilter, page: list[AuditEventRow]
) -> AsyncIterator[list[AuditEventRow]]:
    """Yield `page`, the first of an export, and all pages behind it. Only one is in memory at a time."""
    while page:
        yield page
        full = len(page) == EXPORT_ROWS
        page = await oldest(database, org_id, wanted, page[-1].seq, EXPORT_ROWS) if full else []


async def of_person(database: Database, user_id: str, before: int, limit: int) -> list[PersonEventRow]:
    """Return a person's rows with a number below `before`, newest first."""
    sql = f"SELECT {_PERSON_COLUMNS} FROM person_events WHERE user_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
    return await database.query(Person(user_id), PersonEventRow, sql, user_id, before, limit)


async def _page(
    database: Database, org_id: str, wanted: AuditFilter, place: int, limit: int, way: tuple[str, str]
) -> list[AuditEventRow]:
    conditions = "org_id = ?1 AND created_at >= ?2 AND created_at < ?3"
    bound: list[Any] = [org_id, wanted.start, wanted.end]
    for column in ("action", "actor", "target", "result"):
        value = getattr(wanted, column)
        if value is not None:
            bound.append(value)
            conditions += f" AND {column} = ?{len(bound)}"
    sign, order = way
    at = len(bound) + 1
    sql = (
        f"SELECT {_ORG_COLUMNS} FROM audit_events WHERE {conditions} AND seq {sign} ?{at}"
        f" ORDER BY seq {order} LIMIT ?{at + 1}"
    )
    return await database.query(Org(org_id), AuditEventRow, sql, *bound, place, limit)
