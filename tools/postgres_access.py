"""Who may use the local PostgreSQL, with which password, and what they own."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tools.env_file import write_private
from tools.ports import HOST

if TYPE_CHECKING:
    from pg8000.native import Connection

DATABASE = "headgate"
SUPERUSER = "postgres"
OWNER = "headgate_owner"
APPLICATION = "headgate_app"
WORKER = "headgate_worker"


def _password() -> str:
    return secrets.token_urlsafe(24)  # neither an address nor SQL needs its characters escaped


@dataclass(frozen=True)
class Access:
    """The port and the passwords of one server."""

    port: int
    superuser_password: str = field(default_factory=_password, repr=False)
    owner_password: str = field(default_factory=_password, repr=False)
    worker_password: str = field(default_factory=_password, repr=False)

    @classmethod
    def new(cls, port: int) -> Access:
        return cls(port)

    @classmethod
    def read(cls, file: Path) -> Access | None:
        """What `write` has kept, or None."""
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None

    def write(self, file: Path) -> None:
        write_private(file, json.dumps(asdict(self), indent=2) + "\n")

    def on_port(self, port: int) -> Access:
        return replace(self, port=port)

    @property
    def superuser_url(self) -> str:
        return self._url(SUPERUSER, self.superuser_password)

    @property
    def owner_url(self) -> str:
        return self._url(OWNER, self.owner_password)

    @property
    def worker_url(self) -> str:
        return self._url(WORKER, self.worker_password)

    def _url(self, user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{DATABASE}"

    def _connect(self, user: str, password: str, database: str) -> Connection:
        from pg8000.native import Connection  # noqa: PLC0415 # the set-up brings it

        return Connection(user, host=HOST, port=self.port, database=database, password=password, timeout=10)

    def answers(self) -> bool:
        """Whether the server lets its superuser in."""
        from pg8000.exceptions import DatabaseError, InterfaceError  # noqa: PLC0415 # the set-up brings it

        try:
            self._connect(SUPERUSER, self.superuser_password, "postgres").close()
        except (DatabaseError, InterfaceError):  # it does not listen yet, or starts up
            return False
        return True

    def make_database(self) -> None:
        """Make the roles and the database. The owner makes the others itself: so it may grant them what it owns."""
        self._execute(
            (SUPERUSER, self.superuser_password, "postgres"),
            f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{self.owner_password}'",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
        )
        self._execute(
            (OWNER, self.owner_password, DATABASE),
            f"CREATE ROLE {APPLICATION} NOLOGIN",
            f"CREATE ROLE {WORKER} LOGIN PASSWORD '{self.worker_password}' IN ROLE {APPLICATION}",
        )

    def _execute(self, who: tuple[str, str, str], *statements: str) -> None:
        connection = self._connect(*who)
        try:
            for statement in statements:
                connection.run(statement)
        finally:
            connection.close()
