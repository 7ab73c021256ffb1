"""Migrations of a PostgreSQL database, reached by its address. Each runs in a transaction together with its own row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import migrations
from tools.migrations import POSTGRES_FOLDER, Applied, Line, Migration, quoted
from tools.project import ToolError

if TYPE_CHECKING:
    from tools.postgres_client import Client

TABLE = """
CREATE TABLE IF NOT EXISTS headgate_migrations (
  name text COLLATE "C" PRIMARY KEY,
  checksum text COLLATE "C" NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
"""
READ = """
SELECT name, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' AS applied_at, checksum
FROM headgate_migrations ORDER BY name
"""
LOCK = int.from_bytes(b"headgate")  # the number of our advisory lock
WAIT_SECONDS = 30.0
# A change of a table waits for the transactions that use it, and all that come later wait behind it: not for long.
PATIENCE = "5s"


class PostgresTarget:
    """The database at `url`, where the user owns the tables or may make them."""

    def __init__(
        self,
        url: str,
        *,
        folder: Path = POSTGRES_FOLDER,
        tell: Callable[[str], None] = migrations.tell,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._url = url
        self._folder = folder
        self._tell = tell
        self._wait_seconds = wait_seconds

    def up(self) -> list[str]:
        tree = migrations.read_tree(self._folder)
        with self._locked() as client:
            client.run(TABLE, "making the table of migrations")
            new = migrations.pending(tree, _applied(client))
            for migration in new:
                row = f"INSERT INTO headgate_migrations (name, checksum) VALUES ({_row(migration)})"
                self._step(client, migration, migration.up, row)
        return [migration.name for migration in new]

    def down(self, steps: int) -> list[str]:
        tree = migrations.read_tree(self._folder)
        with self._locked() as client:
            undone = migrations.to_undo(tree, _applied(client), steps)
            ways_back = [migration.down() for migration in undone]  # all of them are there, before the first is gone
            for migration, sql in zip(undone, ways_back, strict=True):
                row = f"DELETE FROM headgate_migrations WHERE name = {quoted(migration.name)}"
                self._step(client, migration, sql, row)
        return [migration.name for migration in undone]

    def status(self) -> list[Line]:
        with self._client() as client:
            return migrations.compare(migrations.read_tree(self._folder), _applied(client))

    def execute(self, sql: str) -> None:
        with self._client() as client:
            client.run(sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self._client() as client:
            return client.rows(sql)

    def known_current(self) -> bool:
        return False  # asking takes milliseconds

    @contextmanager
    def _client(self) -> Iterator[Client]:
        from tools.postgres_client import connected  # noqa: PLC0415 # it needs packages that the set-up brings first

        with connected(self._url) as client:
            yield client

    @contextmanager
    def _locked(self) -> Iterator[Client]:
        """A connection that alone may migrate. The lock ends with it, also when we are killed."""
        with self._client() as client:
            with suppress(ToolError):  # a server before 14 does not know it
                client.run("SET client_connection_check_interval = '1s'")  # in the middle of a statement, too
            deadline = time.monotonic() + self._wait_seconds
            # Asked for again and again, and not waited for inside the server: such a wait would hold a snapshot, for
            # which the other run's CREATE INDEX CONCURRENTLY waits in turn.
            while not client.rows(f"SELECT pg_try_advisory_lock({LOCK}) AS ours")[0]["ours"]:
                if time.monotonic() > deadline:
                    raise ToolError(f"another run is migrating {client.place}: wait for it.")
                time.sleep(0.2)
            yield client

    def _step(self, client: Client, migration: Migration, sql: str, row: str) -> None:
        if sql.startswith(migrations.NO_TRANSACTION):
            self._step_by_step(client, migration, sql, row)
            return
        client.run(f"BEGIN; SET LOCAL lock_timeout = '{PATIENCE}'")
        client.run(sql, f"{migration.name}: it changed nothing, since it")
        client.run(row, f"writing down {migration.name}")
        client.run("COMMIT", f"{migration.name}: committing it")

    def _step_by_step(self, client: Client, migration: Migration, sql: str, row: str) -> None:
        for number, statement in enumerate(migrations.statements(sql), 1):
            client.run(
                statement,
                f"{migration.name} runs without a transaction, so what came before stays; its statement {number}",
            )
        client.run(row, f"writing down {migration.name}")


def _row(migration: Migration) -> str:
    return f"{quoted(migration.name)}, {quoted(migration.checksum)}"


def _applied(client: Client) -> list[Applied]:
    if client.rows("SELECT to_regclass('headgate_migrations') IS NULL AS missing")[0]["missing"]:
        return []
    return [Applied(**row) for row in client.rows(READ)]
