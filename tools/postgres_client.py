"""One connection to PostgreSQL for the tools: addresses, TLS, and errors in words. Needs the set-up's packages."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from tools.project import ToolError

CONNECT_SECONDS = 15
VERIFIED, ENCRYPTED, PLAIN = ("verify-full", "verify-ca"), ("require",), ("disable",)
EXPECTED = "DATABASE_URL must look like postgresql://user:password@host:5432/database"


class Client:
    """A session. Raises ToolError, which names the server and never the password."""

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self.place = place

    def run(self, sql: str, what: str = "the statement") -> None:
        """Run statements: as one transaction, unless one is under way already."""
        with _in_words(what, sql):
            self._connection.run(sql)

    def rows(self, sql: str, what: str = "the query") -> list[dict[str, Any]]:
        with _in_words(what, sql):
            found = self._connection.run(sql) or []
            names = [str(column["name"]) for column in self._connection.columns or []]
        return [dict(zip(names, row, strict=True)) for row in found]


@contextmanager
def connected(url: str) -> Iterator[Client]:
    """A connection to `url`, closed at the end. Raises ToolError."""
    parts = _parsed(url)
    host, port, database = parts.hostname or "", parts.port or 5432, unquote(parts.path.lstrip("/"))
    place = f"{database} on {host}:{port}"
    try:
        connection = Connection(
            unquote(parts.username or ""),
            host=host,
            port=port,
            database=database,
            password=unquote(parts.password) if parts.password is not None else None,
            timeout=CONNECT_SECONDS,
            ssl_context=tls(host, parts.query),
            application_name="headgate migrations",
        )
    except (DatabaseError, InterfaceError, OSError) as error:
        raise ToolError(f"cannot connect to {place}: {_words(error)}") from None
    try:
        connection._usock.settimeout(None)  # noqa: SLF001 # a migration may take its time
        yield Client(connection, place)
    finally:
        with suppress(DatabaseError, InterfaceError, OSError):  # it has gone already
            connection.close()


def tls(host: str, query: str) -> ssl.SSLContext | bool:
    """What `sslmode` and `sslrootcert` ask for; by default a verified server, or nothing on this machine."""
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    mode = options.pop("sslmode", "")
    authority = options.pop("sslrootcert", None)
    if options or mode not in ("", *VERIFIED, *ENCRYPTED, *PLAIN):
        raise ToolError(
            "DATABASE_URL: after the question mark only sslmode (disable, require, verify-ca, verify-full) and"
            " sslrootcert are understood."
        )
    if mode in PLAIN or (not mode and _is_loopback(host)):
        return False
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise ToolError(f"DATABASE_URL: sslrootcert cannot be read: {error.strerror or error}") from None
    if mode in ENCRYPTED and authority is None:  # as libpq: nobody can listen, but the server may be another
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if mode == "verify-ca":
        context.check_hostname = False
    return context


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        needed = (parts.hostname, parts.username, parts.path.strip("/"), parts.port != 0)  # reading a wrong port raises
    except ValueError:  # its words would show the address, and so the password
        raise ToolError(EXPECTED) from None
    if parts.scheme not in ("postgres", "postgresql") or not all(needed):
        raise ToolError(EXPECTED)
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _in_words(what: str, sql: str) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise ToolError(f"{what} failed: {_words(error)}{_line_of(error, sql)}") from None
    except (InterfaceError, OSError) as error:
        raise ToolError(f"{what} failed: the connection broke ({_words(error)}).") from None


def _fields(error: Exception) -> dict[str, str]:
    first = error.args[0] if error.args else None
    return first if isinstance(first, dict) else {}


def _words(error: Exception) -> str:
    fields = _fields(error)
    if fields:
        return " ".join(fields[name] for name in ("M", "D", "H") if name in fields)
    return str(error.__cause__ or error)


def _line_of(error: Exception, sql: str) -> str:
    position = _fields(error).get("P", "")
    return f" (line {sql.count(chr(10), 0, int(position)) + 1})" if position.isdigit() else ""
