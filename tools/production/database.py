"""D1, as far away as in production and with its limits; and the SQLite of objects, with theirs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import js

from tools.production import rules
from tools.production.invocation import INVOCATION, travel

TOO_BIG = "string or blob too big: SQLITE_TOOBIG"
TOO_MANY = "too many SQL variables: SQLITE_ERROR"
# Functions of SQLite that take any number of arguments: only these can have too many.
_VARIADIC = re.compile(
    r"\b(max|min|coalesce|json_(?:array|object|extract|set|insert|replace|remove)|printf|format|char|concat|concat_ws|iif)"
    r"\s*\(",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def refuse_beyond(sql: str, values: Any, most_bytes: int, prefix: str = "") -> None:
    """Raise the platform's error for a statement or values that it does not take."""
    if _beyond(sql, rules.STATEMENT_BYTES.figure):
        raise js.Error.new(f"{prefix}statement too long: SQLITE_TOOBIG")
    if (name := function_beyond(sql)) is not None:
        raise js.Error.new(f"{prefix}too many arguments on function {name}: SQLITE_ERROR")
    count = 0
    for value in values:
        count += 1
        if isinstance(value, str) and _beyond(value, most_bytes):
            raise js.Error.new(prefix + TOO_BIG)
    if count > rules.PARAMETERS.figure:
        raise js.Error.new(prefix + TOO_MANY)


def _beyond(text: str, most: int) -> bool:
    """Tell whether a text has more bytes. Most are so short that they need not be encoded."""
    return len(text) * 4 > most and len(text.encode()) > most


@lru_cache(maxsize=2_000)
def function_beyond(sql: str) -> str | None:
    """Return the name of a function that has too many arguments. The local runtime takes 127."""
    plain = _QUOTED.sub("''", sql)
    for found in _VARIADIC.finditer(plain):
        depth, commas = 1, 0
        for letter in plain[found.end() :]:
            depth += (letter == "(") - (letter == ")")
            commas += letter == "," and depth == 1
            if not depth:
                break
        if commas >= rules.FUNCTION_ARGUMENTS.figure:
            return str(found[1])
    return None


class D1:
    """A D1 binding, or one of its sessions."""

    def __init__(self, binding: Any, delay_ms: float) -> None:
        self._binding = binding
        self._delay_ms = delay_ms

    def prepare(self, sql: str) -> Any:
        """Return the platform's own statement: it tells its text and values when it is run."""
        return self._binding.prepare(sql)

    def withSession(self, constraint: str) -> D1:
        return D1(self._binding.withSession(constraint), self._delay_ms)

    def getBookmark(self) -> Any:
        return self._binding.getBookmark()

    async def batch(self, statements: Any) -> Any:
        """Run statements as one transaction."""
        invocation = INVOCATION.get()
        invocation.query(statements.length)
        async with invocation.connection():
            await travel(self._delay_ms / 2)
            for statement in statements:
                refuse_beyond(statement.statement, statement.params, rules.ROW_BYTES.figure, "D1_ERROR: ")
            results = await self._binding.batch(statements)
            await travel(self._delay_ms / 2)
        return results


class ObjectSql:
    """The `sql` of an object's storage."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql

    def exec(self, sql: str, *values: Any) -> Any:
        refuse_beyond(sql, values, rules.OBJECT_VALUE_BYTES.figure)
        return self._sql.exec(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sql, name)


class Hyperdrive:
    """A Hyperdrive binding whose database is as far away as D1."""

    def __init__(self, binding: Any, delay_ms: float) -> None:
        self._binding = binding
        self._delay_ms = delay_ms

    def connect(self) -> Any:
        return Socket(self._binding.connect(), self._delay_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._binding, name)


class Socket:
    """A socket whose other end is far away: what answers a message comes later by the way there and back."""

    def __init__(self, socket: Any, delay_ms: float) -> None:
        self._socket = socket
        self._delay_ms = delay_ms
        self._asked = False

    @property
    def readable(self) -> Any:
        return _Side(self, self._socket.readable)

    @property
    def writable(self) -> Any:
        return _Side(self, self._socket.writable)

    async def write(self, writer: Any, data: Any) -> None:
        self._asked = True
        await writer.write(data)

    async def read(self, reader: Any) -> Any:
        if self._asked:
            self._asked = False
            await travel(self._delay_ms)
        return await reader.read()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Side:
    """A readable or writable side, and its reader or writer."""

    def __init__(self, socket: Socket, side: Any) -> None:
        self._socket = socket
        self._side = side

    def getReader(self) -> _Side:
        return _Side(self._socket, self._side.getReader())

    def getWriter(self) -> _Side:
        return _Side(self._socket, self._side.getWriter())

    async def read(self) -> Any:
        return await self._socket.read(self._side)

    async def write(self, data: Any) -> None:
        await self._socket.write(self._side, data)
