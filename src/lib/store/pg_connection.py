"""One connection to PostgreSQL: bytes from a stream, through `pg_wire`."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pg8000.core import COMMAND_COMPLETE, Context

from lib.store.pg_wire import Bound, Message, Wire
from lib.store.session import Result


class ConnectionLost(Exception):
    """The server could not be reached, or went away."""


class ByteStream(Protocol):
    """A connected socket. Both methods raise ConnectionLost."""

    async def read(self) -> bytes:
        """Return what has arrived, at least one byte; b"" when the other side has closed."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None:
        """Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Who we are to the server, and how to reach it.

    `derive` is PBKDF2 with SHA-256: from a password, a salt and a number of iterations to 32 bytes.
    """

    user: str
    password: str
    database: str
    connect: Callable[[], ByteStream]
    derive: Callable[[bytes, bytes, int], Awaitable[bytes]]


class ServerError(Exception):
    """The server refused a statement, or the login. `sqlstate` is five characters, as in its manual's appendix A;
    `constraint` names what a row has broken.
    """

    def __init__(self, fields: Any) -> None:
        self.sqlstate: str = fields.get("C", "")
        self.constraint: str = fields.get("n", "")
        super().__init__(f"{self.sqlstate} {fields.get('M', '')}")


class PgConnection:
    """Made by `open`. Not to be shared by tasks: one group at a time."""

    def __init__(self, stream: ByteStream, wire: Wire) -> None:
        self._stream = stream
        self._wire = wire
        self._arrived: deque[Message] = deque()

    @classmethod
    async def open(cls, address: Address) -> PgConnection:
        """Connect and log in. Raises ConnectionLost or ServerError; then nothing stays open."""
        wire = Wire(address.user, address.password, {"database": address.database, "application_name": "headgate"})
        connection = cls(address.connect(), wire)
        try:
            with _understood():
                await connection._log_in(address)
        except BaseException:
            await connection.abandon()
            raise
        return connection

    async def run(self, statements: Sequence[Bound]) -> list[Result]:
        """Run a group as one transaction, in one round trip. Raises ServerError, and then none of it has happened.

        After ConnectionLost, or when it is cancelled, the connection is of no more use, and the outcome unknown.
        """
        contexts = self._wire.group(statements)
        with _understood():
            await self._exchange(contexts)
            return [_result(context) for context in contexts]

    async def close(self) -> None:
        """Leave in order. Never raises."""
        self._wire.terminate()
        try:
            with suppress(ConnectionLost):
                await self._stream.write(self._wire.take())
        finally:
            await self._stream.close()

    async def abandon(self) -> None:
        """Close without a word: the other side may not be listening. Never raises."""
        await self._stream.close()

    async def _log_in(self, address: Address) -> None:
        context = Context(None)
        ready = False
        while not ready:
            await self._send()
            message = await self._message()
            wanted = self._wire.salt(message)
            if wanted is not None:
                self._wire.salted(wanted, await address.derive(*wanted))
            ready = self._wire.handle(message, context)
            if context.error is not None:
                raise ServerError(context.error.args[0])

    async def _exchange(self, contexts: list[Context]) -> None:
        await self._send()
        error = await self._answers(contexts)
        if error is not None:
            if self._wire.failed:
                self._wire.rollback()
                await self._send()
                await self._answers([Context("ROLLBACK")])
            raise ServerError(error)

    async def _answers(self, contexts: list[Context]) -> Any:
        """Take in the answers to one group; return the first error's fields, if there was one.

        Behind a pooler that takes a group apart, each statement after the failing one fails too.
        """
        done, current, first = 0, contexts[0], None
        while not self._wire.handle(message := await self._message(), current):
            first = first or current.error
            if message[0] == COMMAND_COMPLETE:
                done += 1
                current = contexts[min(done, len(contexts) - 1)]
        if first is not None:
            return first.args[0]
        if done != len(contexts):
            raise ConnectionLost("the server answered another number of statements")
        return None

    async def _send(self) -> None:
        data = self._wire.take()
        if data:
            await self._stream.write(data)

    async def _message(self) -> Message:
        while not self._arrived:
            data = await self._stream.read()
            if not data:
                raise ConnectionLost("the server closed the connection")
            self._arrived.extend(self._wire.feed(data))
        return self._arrived.popleft()


@contextmanager
def _understood() -> Iterator[None]:
    """Whatever the other side sends that makes no sense to pg8000 is a lost connection, and no defect of ours."""
    try:
        yield
    except (ConnectionLost, ServerError):
        raise
    except Exception as error:
        raise ConnectionLost(f"the server can't be understood: {error}") from error


def _result(context: Context) -> Result:
    names = [column["name"] for column in context.columns or ()]
    rows = [dict(zip(names, row, strict=True)) for row in context.rows or ()]
    # A SELECT's count is of the rows that it gives; it changes none.
    changes = 0 if context.statement.startswith("SELECT") else max(context.row_count, 0)
    return Result(rows, changes)
