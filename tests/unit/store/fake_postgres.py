"""A small PostgreSQL without sockets: as much of its protocol (version 3) as a login and groups of statements need.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scramp import ScramException, ScramMechanism

from lib.store.pg_connection import Address, ConnectionLost

USER, PASSWORD, DATABASE = "worker", "pâss wörd", "headgate"
ITERATIONS = 4096
Params = list[str | None]
Asked = tuple[str, Params]
Cut = Callable[[bytes], list[bytes]]


@dataclass(frozen=True)
class Rows:
    """What a statement gives: rows of text by column, and the tag that tells how many it changed."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str | None]] = ()
    tag: str = "SELECT"


@dataclass(frozen=True)
class Refused:
    """What a statement is refused with. `severity` FATAL ends the connection, too."""

    sqlstate: str
    message: str = "no"
    severity: str = "ERROR"


Answer = Rows | Refused


def message(kind: bytes, data: bytes = b"") -> bytes:
    """Return one message of the server."""
    return kind + struct.pack("!i", len(data) + 4) + data


def refusal(refused: Refused) -> bytes:
    fields = {"S": refused.severity, "C": refused.sqlstate, "M": refused.message}
    return message(b"E", b"".join(f"{key}{value}\0".encode() for key, value in fields.items()) + b"\0")


def row_description(columns: Sequence[str]) -> bytes:
    parts = [name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0) for name in columns]
    return message(b"T", struct.pack("!H", len(columns)) + b"".join(parts))


def data_row(values: Sequence[str | None]) -> bytes:
    parts = [
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value.encode())) + value.encode()
        for value in values
    ]
    return message(b"D", struct.pack("!H", len(values)) + b"".join(parts))


NOTICE = message(b"N", b"SNOTICE\0C00000\0Mlook\0\0")
PARAMETER = message(b"S", b"TimeZone\0UTC\0")


def whole(data: bytes) -> list[bytes]:
    """Send everything at once."""
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    """Send as many chunks as there are bytes."""
    return [data[at : at + 1] for at in range(len(data))]


@dataclass
class FakePostgres:
    """The server. What it answers, how it asks for the password, and what its clients did are its fields."""

    answer: Callable[[str, Params], Answer] = lambda _sql, _params: Rows()
    login: str = "scram"  # or "cleartext", "trust", "kerberos"
    password: str = PASSWORD
    cut: Cut = whole
    between: bytes = b""  # sent before each message
    refuses_login: Refused | None = None
    silent: bool = False  # reads, and answers nothing
    unreachable: bool = False
    syncs_each: bool = False  # as if something between had put a Sync behind each statement
    forged: bool = False  # does not know the password, but pretends to
    connections: list[FakeStream] = field(default_factory=list)
    derived: int = 0

    @property
    def groups(self) -> list[list[Asked]]:
        """All groups of all connections, in the order in which they came."""
        return [group for connection in self.connections for group in connection.groups]

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(not connection.closed for connection in self.connections)

    def address(self, password: str = PASSWORD) -> Address:
        return Address(USER, password, DATABASE, self._connect, self._derive)

    def _connect(self) -> FakeStream:
        self.connections.append(FakeStream(self))
        return self.connections[-1]

    async def _derive(self, password: bytes, salt: bytes, iterations: int) -> bytes:
        self.derived += 1
        return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


class FakeStream:
    """One connection, with the server's side of it. Implements `lib.store.pg_connection.ByteStream`."""

    def __init__(self, server: FakePostgres) -> None:
        self._server = server
        self._received = bytearray()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._greeted = False
        self._scram = ScramMechanism().make_server(self._auth_info)
        self._asked: list[Asked] = []
        self._sql = ""
        self._status = b"I"
        self.parameters: dict[str, str] = {}
        self.groups: list[list[Asked]] = []
        self.in_flight = 0
        self.closed = False
        self.left = False  # said goodbye before it closed

    async def read(self) -> bytes:
        return await self._chunks.get()

    async def write(self, data: bytes) -> None:
        if self._server.unreachable or self.closed:
            raise ConnectionLost("connection refused")
        self._received += data
        self._take_in()

    async def close(self) -> None:
        self.closed = True

    def send(self, data: bytes) -> None:
        """Send something, cut as the server does."""
        for chunk in self._server.cut(data):
            self._chunks.put_nowait(chunk)

    def hang_up(self) -> None:
        self._chunks.put_nowait(b"")

    def _reply(self, *messages: bytes) -> None:
        if not self._server.silent:
            self.send(b"".join(self._server.between + one for one in messages))

    def _take_in(self) -> None:
        if not self._greeted:
            (length,) = struct.unpack_from("!i", self._received)
            self._greet(bytes(self._received[8:length]))
            del self._received[:length]
        while len(self._received) >= 5:
            kind, length = struct.unpack_from("!ci", self._received)
            data = bytes(self._received[5 : length + 1])
            del self._received[: length + 1]
            getattr(self, f"_on_{kind.decode()}")(data)

    def _greet(self, data: bytes) -> None:
        parts = data.rstrip(b"\0").decode().split("\0")
        self.parameters = dict(zip(parts[::2], parts[1::2], strict=True))
        self._greeted = True
        asks = {
            "scram": struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0",
            "cleartext": struct.pack("!i", 3),
            "kerberos": struct.pack("!i", 7),
        }
        if self._server.refuses_login:
            self._reply(refusal(self._server.refuses_login))
            self.hang_up()
        elif self._server.login == "trust":
            self._welcome()
        else:
            self._reply(message(b"R", asks[self._server.login]))

    def _welcome(self) -> None:
        self._reply(
            message(b"R", struct.pack("!i", 0)), PARAMETER, message(b"K", struct.pack("!ii", 1, 2)), message(b"Z", b"I")
        )

    def _auth_info(self, _user: str) -> tuple[bytes, bytes, bytes, int]:
        info: tuple[bytes, bytes, bytes, int] = ScramMechanism().make_auth_info(
            self._server.password, ITERATIONS, b"s" * 16
        )
        return info

    def _on_p(self, data: bytes) -> None:
        if self._server.login == "cleartext":
            self._judge(well=data.rstrip(b"\0").decode() == self._server.password)
        elif data.startswith(b"SCRAM-SHA-256\0"):
            self._scram.set_client_first(data[18:].decode())
            self._reply(message(b"R", struct.pack("!i", 11) + self._scram.get_server_first().encode()))
        else:
            self._finish_scram(data.decode())

    def _finish_scram(self, final: str) -> None:
        if self._server.forged:
            self._reply(message(b"R", struct.pack("!i", 12) + b"v=" + b"A" * 43 + b"="))
            self._welcome()
            return
        try:
            self._scram.set_client_final(final)
        except ScramException:
            self._judge(well=False)
            return
        self._reply(message(b"R", struct.pack("!i", 12) + self._scram.get_server_final().encode()))
        self._welcome()

    def _judge(self, *, well: bool) -> None:
        if well:
            self._welcome()
        else:
            self._reply(refusal(Refused("28P01", f'password authentication failed for user "{USER}"', "FATAL")))
            self.hang_up()

    def _on_P(self, data: bytes) -> None:  # noqa: N802 - Parse
        name, sql, _ = data.split(b"\0", 2)
        assert name == b""
        self._sql = sql.decode()

    def _on_B(self, data: bytes) -> None:  # noqa: N802 - Bind
        (count,), at = struct.unpack_from("!H", data, 4), 6
        params: Params = []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", data, at)
            at += 4
            params.append(None if length < 0 else data[at : at + length].decode())
            at += max(length, 0)
        self._asked.append((self._sql, params))

    def _on_D(self, _data: bytes) -> None:  # noqa: N802 - Describe
        """The answer to Execute has it."""

    def _on_E(self, _data: bytes) -> None:  # noqa: N802 - Execute
        """Nothing is answered before Sync."""

    def _on_S(self, _data: bytes) -> None:  # noqa: N802 - Sync
        group, self._asked = self._asked, []
        self.groups.append(group)
        replies: list[bytes] = []
        for sql, params in group:
            replies.append(self._run(sql, params))
            if replies[-1][:1] == b"E":
                self._status = b"E" if self._status == b"T" else b"I"
                if not self._server.syncs_each:
                    break
        self._reply(*replies, message(b"Z", self._status))

    def _on_Q(self, data: bytes) -> None:  # noqa: N802 - Query
        sql = data[:-1].decode()
        self.groups.append([(sql, [])])
        assert sql == "ROLLBACK"
        self._status = b"I"
        self._reply(message(b"C", b"ROLLBACK\0"), message(b"Z", b"I"))

    def _on_X(self, _data: bytes) -> None:  # noqa: N802 - Terminate
        self.left = True

    def _run(self, sql: str, params: Params) -> bytes:
        answer = self._server.answer(sql, params)
        if isinstance(answer, Refused):
            if answer.severity == "FATAL":
                self.send(refusal(answer))
                self.hang_up()
            return refusal(answer)
        if sql.startswith("BEGIN"):
            self._status = b"T"
        if sql == "COMMIT":
            self._status = b"I"
        described = row_description(answer.columns) if answer.columns else message(b"n")
        done = message(
            b"C", f"{answer.tag} {len(answer.rows)}\0".encode() if answer.columns else f"{answer.tag}\0".encode()
        )
        return b"".join([message(b"1"), message(b"2"), described, *map(data_row, answer.rows), done])
