"""What a test asks of the port, as JSON, and the port's answers, as JSON. The test Worker and CPython both use it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import astuple, make_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from lib.audit import linking
from lib.events.event import Event
from lib.events.event_store import log_key, noted
from lib.http.context import Context
from lib.store.database import Database, Read, Statement, StoreError
from lib.store.tenant import EveryOrg, Joining, Member, Org, Person, Presented, Tenant

LOG_KEY = log_key("s" * 32)
SCOPES: Mapping[str, Any] = {kind.__name__: kind for kind in (Org, Person, Member, Joining, Presented, EveryOrg)}
TYPES: Mapping[str, Any] = {
    "str": str, "int": int, "float": float, "bool": bool, "datetime": datetime, "frozenset": frozenset[str]
}  # fmt: skip


def encode(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    return value


def decode(value: Any) -> Any:
    """Return what `encode` was given."""
    if not isinstance(value, dict):
        return value
    return datetime.fromisoformat(value["time"]) if "time" in value else frozenset(value["set"])


async def perform(database: Database, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Make a request's calls one after another, or side by side, and close the database."""
    try:
        if asked["together"]:
            outcomes = list(await asyncio.gather(*(_outcome(database, call) for call in asked["calls"])))
        else:
            outcomes = [await _outcome(database, call) for call in asked["calls"]]
        return {
            "outcomes": outcomes,
            "queries": database.cost.queries,
            "milliseconds": database.cost.milliseconds,
            "connected": database.connected,
            "bookmark": database.bookmark,
        }
    finally:
        await database.close()


async def _outcome(database: Database, call: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"value": await _call(database, call)}
    except StoreError as error:
        return {"error": type(error).__name__, "message": str(error)}


class _Parts:
    """What linking needs; there are no gates to tell."""

    log_key = LOG_KEY

    def __init__(self, database: Database) -> None:
        self.database = database

        self.now = datetime.now(UTC)

    def work(self, _actor: str) -> _Parts:
        return self

    async def tell(self, *_events: Event) -> None:
        pass


async def _call(database: Database, call: Mapping[str, Any]) -> Any:
    kind, *identities = call["scope"]
    scope: Tenant = SCOPES[kind](*identities)
    statements = [Statement(sql, tuple(map(decode, values))) for sql, values in call["statements"]]
    if call["op"] == "batch":
        return await database.batch(scope, statements)
    if call["op"] == "audited":
        return await database.batch(scope, [*_event(scope, call["event"]), *statements])
    if call["op"] == "link":
        return await linking.link(_Parts(database), scope)  # type: ignore[arg-type]
    if call["op"] in ("check", "close"):
        await getattr(database, call["op"])()
        return None
    [statement] = statements
    if call["op"] == "execute":
        return await database.execute(scope, statement.sql, *statement.values)
    row_type, read = _row_type(tuple(map(tuple, call["row"]))), Read(call["read"])
    if call["op"] == "query":
        rows = await database.query(scope, row_type, statement.sql, *statement.values, read=read)
        return list(map(_row, rows))
    row = await database.one(scope, row_type, statement.sql, *statement.values, read=read)
    return None if row is None else _row(row)


def _event(scope: Tenant, event: Mapping[str, Any]) -> list[Statement]:
    """Return an event, which may have a condition: a statement whose values are texts and numbers."""
    context, now = Context("r", "192.0.2.1"), decode(event["now"])
    only_if = Statement(event["only_if"][0], tuple(event["only_if"][1])) if event["only_if"] else None
    assert isinstance(scope, Org | Person)
    actor = "system" if isinstance(scope, Org) else f"user:{scope.id}"
    return [noted(LOG_KEY, Event(event["action"], scope), actor, context, now, only_if)]


def _row(row: Any) -> Sequence[Any]:
    return list(map(encode, astuple(row)))


@cache
def _row_type(columns: tuple[tuple[str, str], ...]) -> type[Any]:
    return make_dataclass("Row", [(name, TYPES[kind] | None) for name, kind in columns], frozen=True)
