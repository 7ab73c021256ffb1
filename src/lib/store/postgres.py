"""The Database port on PostgreSQL, reached through Hyperdrive (https://developers.cloudflare.com/hyperdrive/).

A group goes there and back once: BEGIN, what sets the scope and the time limit, the statements and COMMIT are sent
together. Row level security then shows no rows but the scope's (migrations/postgres). A single statement has its BEGIN
too: a pooler may take apart what is sent as one, and without it the scope would end before the statement.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from lib.store.database import (
    CheckViolation,
    Database,
    ForeignKeyViolation,
    NotNullViolation,
    Read,
    ScopeLost,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    TenantViolation,
    UniqueViolation,
)
from lib.store.dialect import POSTGRES
from lib.store.pg_connection import Address, ConnectionLost, PgConnection, ServerError
from lib.store.session import CONNECT_SECONDS, NOBODY, STATEMENT_SECONDS, Bound, Result, Session, Timer
from lib.store.sql_text import postgres_places
from lib.store.tenant import EveryOrg, Joining, Member, Org, Person, Presented, Tenant

# What the policies of row level security read. Each transaction sets all four: a pooled connection may be anybody's.
_SCOPE = (
    "SELECT set_config('headgate.org_id', $1, true), set_config('headgate.user_id', $2, true),"
    " set_config('headgate.key_hash', $3, true), set_config('headgate.every_org', $4, true),"
    " set_config('statement_timeout', $5, true)"
)
# D1 runs one group after another. So does this, as far as anybody can tell; who loses is told so, and tries again.
_BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE"
_BEGIN_ONE = "BEGIN ISOLATION LEVEL READ COMMITTED"  # a single statement sees one moment anyway
_ANY_ORG = (
    "SELECT (SELECT id FROM orgs ORDER BY id LIMIT 1) AS id, current_setting('headgate.every_org', true) AS scope,"
    " row_security_active('orgs') AS walled"
)
_ALL_SHOWN = "SELECT id FROM orgs LIMIT 2"  # without a condition: the wall alone decides
_MOST_TRIES = 30
_LONGEST_PAUSE_MS = 100
_LOST = ("40001", "40P01")  # a serialization failure, a deadlock
_NUMBERED = ("audit_events_pkey", "person_events_pkey")  # another has taken the number that a statement has counted
_CANCELED = "57014"
# How much longer than the server's own limit we wait for it to say so.
_GRACE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class _AnyOrg:
    id: str | None
    scope: str | None
    walled: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    id: str


class PostgresStore:
    """Databases on one PostgreSQL."""

    def __init__(
        self,
        address: Address,
        timer: Timer,
        statement_seconds: float = STATEMENT_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._address = address
        self._timer = timer
        self._limits = (statement_seconds, connect_seconds)

    def open(self, bookmark: str | None = None) -> Database:  # noqa: ARG002 - every read sees every write here
        return PostgresDatabase(self._address, self._timer, *self._limits)


class PostgresDatabase(Session):
    """Connects at the first statement."""

    dialect = POSTGRES

    def __init__(self, address: Address, timer: Timer, statement_seconds: float, connect_seconds: float) -> None:
        super().__init__(timer)
        self._address = address
        self._statement_seconds = statement_seconds
        self._connect_seconds = connect_seconds
        self._connection: PgConnection | None = None
        self._turn = asyncio.Lock()

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def close(self) -> None:
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(connection.close(), _GRACE_SECONDS)

    async def check(self) -> None:
        """As the port says; and try the wall, with a real organisation where there is one. Raises ScopeLost too."""
        if not await self._shows_own() and not await self._shows_own():  # the first may have been deleted meanwhile
            raise ScopeLost("row level security shows other rows than the scope's: are all migrations applied?")

    async def _shows_own(self) -> bool:
        """Tell whether the scope of some organisation shows that one alone, or none where there is none."""
        found = await self.one(EveryOrg("orgs"), _AnyOrg, _ANY_ORG)
        if found is None or found.scope != "orgs":
            raise ScopeLost("the scope does not reach its statement: what is between takes transactions apart")
        if not found.walled:
            raise ScopeLost(
                "row level security does not hold for the Worker's login: it owns the tables, or may bypass it"
            )
        shown = await self.query(Org(found.id) if found.id else NOBODY, _Shown, _ALL_SHOWN)
        return [each.id for each in shown] == ([found.id] if found.id else [])

    async def _run(self, scope: Tenant, statements: Sequence[Bound], read: Read) -> list[Result]:  # noqa: ARG002 - see open
        group = self._group(scope, statements)
        async with self._turn:
            for attempt in range(_MOST_TRIES):
                try:
                    results = await self._exchange(group)
                except ServerError as error:
                    if error.sqlstate not in _LOST and error.constraint not in _NUMBERED:
                        raise _typed(error) from error
                    # Not all at the same moment again.
                    await asyncio.sleep(secrets.randbelow(min(2**attempt, _LONGEST_PAUSE_MS)) / 1000)
                else:
                    return results[2:-1]
        raise StoreUnavailable("too many others were writing the same rows")

    def _group(self, scope: Tenant, statements: Sequence[Bound]) -> list[Bound]:
        """Put the scope before the statements, and a transaction around them."""
        settings = [
            scope.id if isinstance(scope, Org) else scope.org_id if isinstance(scope, Member | Joining) else "",
            scope.id if isinstance(scope, Person) else scope.user_id if isinstance(scope, Member | Joining) else "",
            scope.key_hash if isinstance(scope, Presented) else "",
            scope.table if isinstance(scope, EveryOrg) else "",
            str(round(self._statement_seconds * 1000)),
        ]
        group = [(_SCOPE, settings), *((postgres_places(sql), values) for sql, values in statements)]
        return [(_BEGIN if len(statements) > 1 else _BEGIN_ONE, []), *group, ("COMMIT", [])]

    async def _exchange(self, group: Sequence[Bound]) -> list[Result]:
        """Run a group on this request's connection. Only a refusal leaves that usable."""
        connection = await self._connected()
        try:
            seconds = self._statement_seconds * (len(group) - 2) + _GRACE_SECONDS  # BEGIN and COMMIT take no time
            return await asyncio.wait_for(connection.run(group), seconds)
        except ServerError:
            raise
        except BaseException as error:
            self._connection = None
            await connection.abandon()
            if isinstance(error, TimeoutError):
                raise StoreTimeout("PostgreSQL did not answer in time") from None
            if isinstance(error, ConnectionLost):
                raise StoreUnavailable(str(error)) from error
            raise

    async def _connected(self) -> PgConnection:
        if self._connection is None:
            try:
                self._connection = await asyncio.wait_for(PgConnection.open(self._address), self._connect_seconds)
            except TimeoutError:
                raise StoreTimeout("PostgreSQL could not be reached in time") from None
            except ConnectionLost as error:
                raise StoreUnavailable(str(error)) from error
            except ServerError as error:  # it refuses the login, or has no connection to spare
                raise StoreUnavailable(str(error)) from error
        return self._connection


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_VIOLATIONS: dict[str, type[StoreError]] = {
    "23505": UniqueViolation,
    "23503": ForeignKeyViolation,
    "23514": CheckViolation,
    "23502": NotNullViolation,
    "42501": TenantViolation,  # row level security refuses a row, or the role has no right to the table
    _CANCELED: StoreTimeout,
    "08P01": StoreError,  # more or fewer values than places
}
_CLASSES: dict[str, type[StoreError]] = {
    "22": CheckViolation,  # a value that the column's type can't hold
    "08": StoreUnavailable,  # the connection
    "53": StoreUnavailable,  # out of something
    "55": StoreUnavailable,  # somebody holds a lock
    "57": StoreUnavailable,  # an operator intervenes: shutting down, starting up
    "58": StoreUnavailable,  # the machine
    "XX": StoreUnavailable,
}


def _typed(error: ServerError) -> StoreError:
    kind = _VIOLATIONS.get(error.sqlstate) or _CLASSES.get(error.sqlstate[:2]) or StoreError
    return kind(str(error))
