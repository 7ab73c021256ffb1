"""A store whose groups may hold events: each is given its place in its chain when its group runs.

A group can't read, so the end of the chain is read first, and the next number and the hash before it go into the group.
Of two that read the same end, one writes that number: the primary key refuses the other's whole group, its change
included, and it begins again from the new end. So no chain forks, no event is without its change, and no change without
its event.

Those of one isolate take turns, so only isolates contend; and who has lost often asks again sooner than who comes new.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from lib.audit import audit_store
from lib.audit.chain import Head, Log, linked
from lib.audit.events import entry_of, log_of
from lib.events.event import EventStatement
from lib.kernel.turns import Turns
from lib.store.database import (
    Cost,
    Database,
    Read,
    Statement,
    Store,
    StoreUnavailable,
    UniqueViolation,
    Value,
)
from lib.store.dialect import Dialect
from lib.store.tenant import Tenant

Row = TypeVar("Row")

# One of those who write at the same time wins each turn, so this many may.
MOST_TRIES = 60
_FIRST_PAUSE_MS = 128  # at most; each further one is half as long

Chain = tuple[Log, str]


@dataclass(frozen=True, slots=True)
class AuditedStore:
    """Implements `lib.store.database.Store`. `key` is that of the chains, `turns` are those of the isolate."""

    store: Store
    key: bytes
    turns: Turns | None = None

    def open(self, bookmark: str | None = None) -> Database:
        return AuditedDatabase(self.store.open(bookmark), self.key, self.turns)


class DatabaseAround:
    """Implements `lib.store.database.Database` by another one, but for what a subclass does itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def cost(self) -> Cost:
        return self._database.cost

    @property
    def bookmark(self) -> str | None:
        return self._database.bookmark

    @property
    def size(self) -> int | None:
        return self._database.size

    @property
    def connected(self) -> bool:
        return self._database.connected

    async def query(
        self, scope: Tenant, row_type: type[Row], sql: str, *values: Value, read: Read = Read.LATEST
    ) -> list[Row]:
        return await self._database.query(scope, row_type, sql, *values, read=read)

    async def one(
        self, scope: Tenant, row_type: type[Row], sql: str, *values: Value, read: Read = Read.LATEST
    ) -> Row | None:
        return await self._database.one(scope, row_type, sql, *values, read=read)

    async def execute(self, scope: Tenant, sql: str, *values: Value) -> int:
        return await self._database.execute(scope, sql, *values)

    async def check(self) -> None:
        await self._database.check()

    async def close(self) -> None:
        await self._database.close()

    async def batch(self, scope: Tenant, statements: Sequence[Statement]) -> list[int]:
        return await self._database.batch(scope, statements)


class AuditedDatabase(DatabaseAround):
    """Gives events their places. Without `turns` only the store decides who was first."""

    def __init__(self, database: Database, key: bytes, turns: Turns | None = None) -> None:
        super().__init__(database)
        self._key = key
        self._turns = turns

    async def batch(self, scope: Tenant, statements: Sequence[Statement]) -> list[int]:
        """As the port says. Events among the statements get their places; too many writers: StoreUnavailable."""
        chains = _chains(statements)
        if not chains:
            return await self._database.batch(scope, statements)
        async with AsyncExitStack() as turns:
            if self._turns:
                for chain in sorted(chains):  # in one order: no two wait for each other
                    await turns.enter_async_context(self._turns.take(":".join(chain)))
            return await self._write(scope, statements, chains)

    async def _write(self, scope: Tenant, statements: Sequence[Statement], chains: Sequence[Chain]) -> list[int]:
        heads = await self._heads(chains)
        for attempt in range(MOST_TRIES):
            try:
                return await self._database.batch(scope, self._placed(statements, heads))
            except UniqueViolation:
                now = await self._heads(chains)
                if now == heads:  # nobody was faster: it is the group's own change that is refused
                    raise
                heads = now
                await asyncio.sleep(secrets.randbelow((_FIRST_PAUSE_MS >> attempt) + 1) / 1000)
        raise StoreUnavailable("too many others were writing the same audit log")

    async def _heads(self, chains: Sequence[Chain]) -> dict[Chain, Head]:
        return {chain: await audit_store.head(self._database, *chain) for chain in chains}

    def _placed(self, statements: Sequence[Statement], heads: dict[Chain, Head]) -> list[Statement]:
        heads = dict(heads)
        placed = []
        for statement in statements:
            if isinstance(statement, EventStatement):
                entry = entry_of(statement)
                chain = (entry.log, entry.owner)
                link = linked(self._key, entry, heads[chain])
                heads[chain] = Head(link.seq, link.hash)
                placed.append(audit_store.insert(link, statement.only_if))
            else:
                placed.append(statement)
        return placed


def _chains(statements: Sequence[Statement]) -> list[Chain]:
    """Return the chains that a group adds to. Raises ValueError where one might skip a number: a defect of ours."""
    events = [each for each in statements if isinstance(each, EventStatement)]
    if len(events) > 1 and any(each.only_if for each in events):
        raise ValueError("an event with a condition is its group's only one")
    return list(dict.fromkeys((log_of(each.event.owner), each.event.owner.id) for each in events))
