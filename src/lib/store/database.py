"""The store as the services see it: the Database port, its statements, and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

from lib.store.dialect import Dialect
from lib.store.tenant import Tenant

Row = TypeVar("Row")
Value = str | int | float | bool | datetime | None


class Read(Enum):
    """How fresh a read must be; each query says so.

    LATEST sees every write that was answered before it began. RECENT may be answered by a replica that lags behind, but
    never behind the bookmark that the client presents; without a bookmark it is as LATEST.
    """

    LATEST = "latest"
    RECENT = "recent"


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text with `?` or `?1` places, and the values bound to them. Identifiers never come from input.

    The text keeps to what SQLite and PostgreSQL both take. What differs is in `lib.store.dialect`.
    """

    sql: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request has asked of its store: how often it went there and back, and for how long."""

    queries: int
    milliseconds: float


class Database(Protocol):
    """What both stores can keep, and so what the application may rely on. One value serves one request.

    There is no interactive transaction: a group of statements is sent whole, and all of it happens or none, as if no
    other statement ran meanwhile. A rule that spans statements is written into the statements themselves.

    At most one connection is open at a time, from the first statement on. Tasks of one request may call it side by
    side: they take turns. Every method but `close` raises the errors below.
    """

    @property
    def dialect(self) -> Dialect:
        """The few expressions that the stores spell differently."""
        ...

    async def query(
        self, scope: Tenant, row_type: type[Row], sql: str, *values: Value, read: Read = Read.LATEST
    ) -> list[Row]:
        """Return all rows as values of `row_type`, a frozen dataclass with a field per column; [] when none match."""
        ...

    async def one(
        self, scope: Tenant, row_type: type[Row], sql: str, *values: Value, read: Read = Read.LATEST
    ) -> Row | None:
        """Return the first row, or None."""
        ...

    async def execute(self, scope: Tenant, sql: str, *values: Value) -> int:
        """Run one statement and return how many rows it changed."""
        ...

    async def batch(self, scope: Tenant, statements: Sequence[Statement]) -> list[int]:
        """Run all statements in order, atomically; return how many rows each changed."""
        ...

    async def check(self) -> None:
        """Raise when the store does not answer, has no tables yet, or does not show a scope's rows and no others."""
        ...

    @property
    def cost(self) -> Cost: ...

    @property
    def bookmark(self) -> str | None:
        """What a client must present so that RECENT reads see this request's writes; None where there is no need."""
        ...

    @property
    def size(self) -> int | None:
        """How many bytes the store said, with its last answer, that it holds; None where it does not say."""
        ...

    @property
    def connected(self) -> bool:
        """Tell whether there is something to close."""
        ...

    async def close(self) -> None:
        """End the connection, if there is one. Never raises. A later statement would open another."""
        ...


class Store(Protocol):
    """Where databases come from: one for each request."""

    def open(self, bookmark: str | None = None) -> Database:
        """Return a database for one request. Nothing is connected yet. `bookmark` is what the client presents."""
        ...


class StoreError(Exception):
    """The store refused or failed. Of this very class: a defect of ours, such as wrong SQL."""


class UniqueViolation(StoreError):
    """A row with this key exists."""


class ForeignKeyViolation(StoreError):
    """A row that this one names does not exist, or is still named by another."""


class CheckViolation(StoreError):
    """A value breaks a CHECK, or is none that the column or the store can hold."""


class UnstorableValue(CheckViolation):
    """A value that no store could hold, refused before it was sent. The message tells why, and not the value."""


class NotNullViolation(StoreError):
    """A column that must have a value has none."""


class TenantViolation(StoreError):
    """A statement does not keep to its scope. A defect of ours."""


class ScopeLost(StoreError):
    """What the store shows does not follow the scope. The message tells what is set up wrongly, and holds no secret."""


class StoreUnavailable(StoreError):
    """The store can't be reached, or broke off. A write may have happened all the same."""


class StoreTimeout(StoreUnavailable):
    """The store did not answer in time. A write may have happened all the same."""
