"""What the two stores' databases share: the methods of the port, by one way to run a group of statements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lib.store.database import Cost, Read, Statement, UnstorableValue, Value
from lib.store.dialect import Dialect, checked
from lib.store.rows import decoder
from lib.store.tenant import Org, Tenant

Row = TypeVar("Row")
Bound = tuple[str, list[Any]]
Timer = Callable[[], float]

# No statement of ours is long. What takes longer is stuck, and its client should hear of it.
STATEMENT_SECONDS = 10
CONNECT_SECONDS = 5
NOBODY = Org("00000000-0000-0000-0000-000000000000")


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement gave: its rows by column name, and how many it changed."""

    rows: Sequence[Mapping[str, Any]]
    changes: int
    size: int | None = None  # of the whole store, in bytes, where it says so


@dataclass(frozen=True, slots=True)
class _Found:
    one: int


class Session(ABC):
    """A Database, but for how statements reach their store. `timer` returns seconds."""

    dialect: Dialect

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._queries = 0
        self._spent = 0.0
        self._size: int | None = None

    async def query(
        self, scope: Tenant, row_type: type[Row], sql: str, *values: Value, read: Read = Read.LATEST
    ) -> list[Row]:
        [result] = await self._measured(scope, [Statement(sql, values)], read)
        return list(map(decoder(row_type, self.dialect), result.rows))

    async def one(
        self, scope: Tenant, row_type: type[Row], sql: str, *values: Value, read: Read = Read.LATEST
    ) -> Row | None:
        rows = await self.query(scope, row_type, sql, *values, read=read)
        return rows[0] if rows else None

    async def execute(self, scope: Tenant, sql: str, *values: Value) -> int:
        [changes] = await self.batch(scope, [Statement(sql, values)])
        return changes

    async def batch(self, scope: Tenant, statements: Sequence[Statement]) -> list[int]:
        if not statements:
            return []
        return [result.changes for result in await self._measured(scope, statements, Read.LATEST)]

    async def check(self) -> None:
        await self.one(NOBODY, _Found, "SELECT 1 AS one FROM orgs WHERE id = ?", NOBODY.id)

    @property
    def cost(self) -> Cost:
        return Cost(self._queries, round(self._spent * 1000, 1))

    @property
    def bookmark(self) -> str | None:
        return None

    @property
    def size(self) -> int | None:
        return self._size

    @property
    def connected(self) -> bool:
        return False

    async def close(self) -> None:  # noqa: B027 - a store that holds nothing open has nothing to do
        """End the connection, if there is one."""

    @abstractmethod
    async def _run(self, scope: Tenant, statements: Sequence[Bound], read: Read) -> list[Result]:
        """Run a group atomically. Raises the store's errors."""

    async def _measured(self, scope: Tenant, statements: Sequence[Statement], read: Read) -> list[Result]:
        bound = [(statement.sql, self._encoded(statement.values)) for statement in statements]
        started = self._timer()
        try:
            results = await self._run(scope, bound, read)
            self._size = results[-1].size
            return results
        finally:
            self._queries += 1
            self._spent += max(0.0, self._timer() - started)  # a clock may be set back

    def _encoded(self, values: Sequence[Value]) -> list[Any]:
        try:
            return [self.dialect.encode(checked(value)) for value in values]
        except ValueError as error:
            raise UnstorableValue(str(error)) from None
