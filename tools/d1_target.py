"""Migrations of a D1 database, local or, through `wrangler d1 execute`, at Cloudflare.

What has been applied is in wrangler's own table, so `wrangler d1 migrations` can be used as well. To start what runs
statements takes a second or more: one start reads and takes the lock, a second does all the work and gives the lock
back. D1 runs the statements of one start in one transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools import migrations
from tools.env_file import write_private
from tools.local_d1 import LocalD1
from tools.migrations import D1_FOLDER, Applied, Line, Migration, quoted
from tools.project import ROOT, ToolError
from tools.state import State
from tools.wrangler import D1Execute

# The first is the one that wrangler makes.
TABLES = """
CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS headgate_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS headgate_migration_lock (
  id INTEGER PRIMARY KEY CONSTRAINT headgate_migration_lock_was_lost CHECK (id = 1),
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
"""
READ = """
SELECT d1_migrations.name, applied_at, checksum FROM d1_migrations LEFT JOIN headgate_migrations USING (name)
ORDER BY d1_migrations.id;
"""
LOCK_SECONDS = 600  # longer than any migration: after it, the lock of a run that was killed counts no more
WAIT_SECONDS = 30.0


class D1Target:
    """One D1 database. `local` and `remote` make it."""

    def __init__(
        self,
        d1: D1Execute | LocalD1,
        *,
        state: State | None,
        folder: Path = D1_FOLDER,
        tell: Callable[[str], None] = migrations.tell,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._d1 = d1
        self._state = state  # where stamps are kept; None when the database is not on this machine
        self._folder = folder
        self._tell = tell
        self._wait_seconds = wait_seconds
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(8)}"

    @classmethod
    def local(cls, state: State, **options: Any) -> D1Target:
        """The database that `wrangler dev` uses with this state."""
        return cls(LocalD1(state), state=state, **options)

    @classmethod
    def remote(cls, configuration: Path, **options: Any) -> D1Target:
        """The database at Cloudflare that a wrangler configuration names. wrangler must be signed in."""
        logs = State(ROOT / ".wrangler" / "state")
        return cls(D1Execute(logs, configuration), state=None, **options)

    def up(self) -> list[str]:
        tree = self._tree()
        names = quoted(json.dumps([migration.name for migration in tree]))
        needed = (
            f"EXISTS (SELECT 1 FROM json_each({names}) WHERE value NOT IN"
            " (SELECT name FROM d1_migrations JOIN headgate_migrations USING (name)))"
        )
        with self._locked(needed) as applied:
            new = migrations.pending(tree, applied)
            adopted = migrations.to_adopt(tree, applied)
            if adopted or new:
                self._work([*map(_checksum_row, adopted), *map(_forward, new)], "migrating")
        for migration in adopted:
            self._tell(f"{migration.name} was applied by wrangler: its checksum is written down from now on.")
        if self._state is not None:
            write_private(self._state.migrated, _digest(tree))
        return [migration.name for migration in new]

    def down(self, steps: int) -> list[str]:
        tree = self._tree()
        if self._state is not None:  # first: a stamp that is missing costs a second, a wrong one breaks `make dev`
            self._state.migrated.unlink(missing_ok=True)
            seeded_stamp(self._state).unlink(missing_ok=True)
        with self._locked("true") as applied:
            undone = migrations.to_undo(tree, applied, steps)
            self._work(list(map(_backward, undone)), "going back")
        return [migration.name for migration in undone]

    def status(self) -> list[Line]:
        results = self._d1.query(TABLES + READ, what="reading what has been applied")
        return migrations.compare(self._tree(), _applied(results[-1]))

    def execute(self, sql: str) -> None:
        self._d1.script(sql, what="running the statements")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return self._d1.query(sql, what="the query")[-1]

    def known_current(self) -> bool:
        stamp = self._state.migrated if self._state is not None else None
        if stamp is None or not stamp.exists() or not (stamp.parent / "v3" / "d1").is_dir():
            return False
        return stamp.read_text(encoding="utf-8") == _digest(self._tree())

    def _tree(self) -> list[Migration]:
        tree = migrations.read_tree(self._folder)
        for migration in tree:
            if not migration.in_transaction:
                raise ToolError(f"{migration.name}: D1 runs every migration in a transaction; take the marker out.")
        return tree

    @contextmanager
    def _locked(self, needed: str) -> Iterator[list[Applied]]:
        """Read what has been applied, and take the lock when the SQL condition `needed` holds.

        The work gives the lock back in its own transaction; here it is given back only when the work fails.
        """
        held, applied = self._await_lock(needed)
        try:
            yield applied
        except BaseException:
            if held:
                with contextlib.suppress(ToolError):  # it expires
                    self._d1.query(self._release(), what="giving the lock back")
            raise

    def _await_lock(self, needed: str) -> tuple[bool, list[Applied]]:
        deadline = time.monotonic() + self._wait_seconds
        dead = ""
        while True:
            results = self._d1.query(
                TABLES
                + "INSERT INTO headgate_migration_lock"
                + f" SELECT 1, {quoted(self._owner)}, unixepoch() + {LOCK_SECONDS} WHERE {needed}"
                + " ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at"
                + f" WHERE expires_at <= unixepoch() OR owner = {quoted(dead)};"
                + "SELECT owner, expires_at - unixepoch() AS seconds FROM headgate_migration_lock;"
                + READ,
                what="reading what has been applied",
            )
            lock, applied = results[-2], _applied(results[-1])
            owner = str(lock[0]["owner"]) if lock else ""
            if owner in ("", self._owner):
                return owner != "", applied
            dead = owner if self._state is not None and _has_died(owner) else ""
            if not dead and time.monotonic() > deadline:
                raise ToolError(
                    f"another run ({owner}) is migrating this database: wait for it. If it was killed, its lock ends"
                    f" in {lock[0]['seconds']} seconds."
                )
            time.sleep(0 if dead else 1)

    def _work(self, parts: Sequence[str], what: str) -> None:
        """Run the parts, and give the lock back, all or nothing. Nothing runs when another has taken our lock."""
        ours = f"SELECT 1 FROM headgate_migration_lock WHERE owner = {quoted(self._owner)}"
        # A row that the table refuses, when we no longer have the lock: it fails the transaction.
        guard = f"INSERT INTO headgate_migration_lock SELECT 0, '', 0 WHERE NOT EXISTS ({ours});"
        self._d1.script("\n".join([guard, *parts, self._release()]), what=what)

    def _release(self) -> str:
        return f"DELETE FROM headgate_migration_lock WHERE owner = {quoted(self._owner)};\n"


def seeded_stamp(state: State) -> Path:
    """Names the organisation that this state's D1 database surely has: looking would cost a start of workerd."""
    return state.folder / "seeded"


def _applied(rows: list[dict[str, Any]]) -> list[Applied]:
    return [Applied(row["name"], f"{row['applied_at']} UTC", row["checksum"]) for row in rows]


def _checksum_row(migration: Migration) -> str:
    row = f"{quoted(migration.name)}, {quoted(migration.checksum)}"
    return f"INSERT OR REPLACE INTO headgate_migrations (name, checksum) VALUES ({row});"


def _forward(migration: Migration) -> str:
    row = f"INSERT INTO d1_migrations (name) VALUES ({quoted(migration.name)});"
    return "\n".join([migration.up, row, _checksum_row(migration)])


def _backward(migration: Migration) -> str:
    name = quoted(migration.name)
    rows = [f"DELETE FROM {table} WHERE name = {name};" for table in ("d1_migrations", "headgate_migrations")]
    return "\n".join([migration.down(), *rows])


def _digest(tree: Sequence[Migration]) -> str:
    return hashlib.sha256("".join(f"{m.name} {m.checksum}\n" for m in tree).encode()).hexdigest()


def _has_died(owner: str) -> bool:
    """Whether the lock's owner was a process of this machine that is no more."""
    host, number, _ = owner.split("/")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
