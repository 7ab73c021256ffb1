"""PostgreSQL's protocol without sockets: pg8000 writes and reads the messages, and its caller moves the bytes.

pg8000's own connection blocks its thread, which a Worker does not have. What it knows of the protocol (authentication,
message formats) does not need a socket, so here it is given a buffer: what it writes is collected and sent by `Wire`'s
caller, and what arrives is handed to it message by message. https://www.postgresql.org/docs/current/protocol.html
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import scramp.core
from pg8000 import core
from pg8000.exceptions import InterfaceError
from scramp.utils import b64dec

_HEADER = Struct("!ci")  # a message's type, and the length of what follows with these four bytes
_INT = Struct("!i")
_PROTOCOL = 196_608  # 3.0
_SASL_CONTINUE = 11
_UNNAMED = core.NULL_BYTE
_MOST_MESSAGE_BYTES = 64 * 1024 * 1024

Bound = tuple[str, Sequence[str | None]]
Message = tuple[bytes, bytes]

# The slow parts of a SCRAM login are the same each time, for one password and salt: RFC 5802 lets a client keep them.
_salted: dict[tuple[bytes, bytes, int], bytes] = {}
_derive = scramp.core.hi


def _kept_or_derived(hash_function: Any, password: bytes, salt: bytes, iterations: Any) -> bytes:
    kept = _salted.get((password, salt, int(iterations))) if hash_function is hashlib.sha256 else None
    return kept or _derive(hash_function, password, salt, iterations)


scramp.core.hi = _kept_or_derived
scramp.core.saslprep = lru_cache(maxsize=8)(scramp.core.saslprep)


class _Outgoing:
    """What pg8000 takes for its socket's file. It asks for a flush after each message, where one at the end will do."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if data != core.FLUSH_MSG:
            self._parts.append(bytes(data))

    def flush(self) -> None:
        """Who sends it decides when."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class Wire(core.CoreConnection):  # type: ignore[misc] # pg8000 has no types
    """One connection's side of the protocol. Nothing here waits."""

    def __init__(self, user: str, password: str, parameters: dict[str, str]) -> None:
        # Not super().__init__(), which connects. These are the fields that pg8000's handlers of messages use.
        self.user = user.encode()
        self.password = password.encode()
        self.notices: deque[Any] = deque(maxlen=10)
        self.notifications: deque[Any] = deque(maxlen=10)
        self.parameter_statuses: dict[str, str] = {}
        self.pg_types: defaultdict[int, type[str]] = defaultdict(
            lambda: str
        )  # rows are decoded by their own types: lib.store.rows
        self.auth: Any = None
        self._client_encoding = "utf8"
        self._usock = None
        self._sock = _Outgoing()
        self._transaction_status = None
        self._backend_key_data = None
        self._incoming = bytearray()
        self._handlers = {
            core.AUTHENTICATION_REQUEST: self.handle_AUTHENTICATION_REQUEST,
            core.PARAMETER_STATUS: self.handle_PARAMETER_STATUS,
            core.BACKEND_KEY_DATA: self.handle_BACKEND_KEY_DATA,
            core.ERROR_RESPONSE: self.handle_ERROR_RESPONSE,
            core.ROW_DESCRIPTION: self.handle_ROW_DESCRIPTION,
            core.DATA_ROW: self.handle_DATA_ROW,
            core.COMMAND_COMPLETE: self.handle_COMMAND_COMPLETE,
            core.READY_FOR_QUERY: self.handle_READY_FOR_QUERY,
        }
        self._start(parameters)

    def take(self) -> bytes:
        """Return what is to be sent, once."""
        return self._sock.take()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are whole by now."""
        self._incoming += data
        messages: list[Message] = []
        at = 0
        while len(self._incoming) - at >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._incoming, at)
            if not 4 <= length <= _MOST_MESSAGE_BYTES:
                raise InterfaceError("the other side does not speak PostgreSQL's protocol")
            end = at + 1 + length
            if end > len(self._incoming):
                break
            messages.append((kind, bytes(self._incoming[at + _HEADER.size : end])))
            at = end
        del self._incoming[:at]
        return messages

    def handle(self, message: Message, context: core.Context) -> bool:
        """Take one message in; tell whether the server is ready for the next group.

        Rows, the number of rows changed, or an error are left in `context`.
        """
        kind, data = message
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(data, context)
        return bool(kind == core.READY_FOR_QUERY)

    def salt(self, message: Message) -> tuple[bytes, bytes, int] | None:
        """Return what a login must derive from the password, if this message asks for it and nobody has done it yet.

        That is the password, the salt and the number of iterations, for PBKDF2 with SHA-256.
        """
        kind, data = message
        if kind != core.AUTHENTICATION_REQUEST or _INT.unpack_from(data)[0] != _SASL_CONTINUE:
            return None
        if self.auth.mechanism_name != "SCRAM-SHA-256":
            return None
        parts = dict(part.split("=", 1) for part in data[4:].decode().split(","))
        wanted = (scramp.core.saslprep(self.password.decode()).encode(), b64dec(parts["s"]), int(parts["i"]))
        return None if wanted in _salted else wanted

    @staticmethod
    def salted(wanted: tuple[bytes, bytes, int], derived: bytes) -> None:
        """Keep what has been derived, for this isolate's next logins."""
        _salted.clear()  # one database has one password
        _salted[wanted] = derived

    def group(self, statements: Sequence[Bound]) -> list[core.Context]:
        """Write a group that the server runs as one transaction, up to the Sync behind it.

        Returns what its answers go into, one for each statement, in their order.
        """
        for sql, values in statements:
            self.send_PARSE(_UNNAMED, sql)
            self.send_BIND(_UNNAMED, values)
            self._send_message(core.DESCRIBE, core.PORTAL + _UNNAMED)
            self.send_EXECUTE()
        self._sock.write(core.SYNC_MSG)
        return [core.Context(sql) for sql, _ in statements]

    def rollback(self) -> None:
        """Write the end of a transaction that has failed."""
        self.send_QUERY("ROLLBACK")

    def terminate(self) -> None:
        """Write that we leave."""
        self._sock.write(core.TERMINATE_MSG)

    @property
    def failed(self) -> bool:
        """Tell whether a failed transaction is still open."""
        return bool(self._transaction_status == core.IN_FAILED_TRANSACTION)

    def _start(self, parameters: dict[str, str]) -> None:
        pairs = b"".join(
            name.encode() + core.NULL_BYTE + value.encode() + core.NULL_BYTE
            for name, value in {"user": self.user.decode(), **parameters}.items()
        )
        self._sock.write(_INT.pack(8 + len(pairs) + 1) + _INT.pack(_PROTOCOL) + pairs + core.NULL_BYTE)
