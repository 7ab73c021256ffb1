"""Migrations of a test's own, and a target for them on either store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.d1_target import D1Target
from tools.migrations import D1_FOLDER, POSTGRES_FOLDER, Target
from tools.postgres_target import PostgresTarget
from tools.project import ROOT
from tools.state import State, Store

THINGS = ("CREATE TABLE things (id text PRIMARY KEY);", "DROP TABLE things;")
MORE = ("ALTER TABLE things ADD COLUMN note text;", "ALTER TABLE things DROP COLUMN note;")


def write_tree(folder: Path, migrations: Mapping[str, tuple[str, str | None]]) -> Path:
    """Write each migration and, where there is one, its way back."""
    (folder / "down").mkdir(parents=True, exist_ok=True)
    for name, (up, down) in migrations.items():
        (folder / name).write_text(up + "\n", encoding="utf-8")
        if down is not None:
            (folder / "down" / name).write_text(down + "\n", encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Ground:
    """One empty database, and folders for migrations."""

    store: Store
    folder: Path
    where: State | str  # D1's folder or PostgreSQL's address

    def target(self, folder: Path | None = None, **options: Any) -> Target:
        """A target for the project's own migrations, or for those of `folder`."""
        if isinstance(self.where, State):
            return D1Target.local(self.where, folder=folder or D1_FOLDER, **options)
        return PostgresTarget(self.where, folder=folder or POSTGRES_FOLDER, **options)

    def tree(self, **migrations: tuple[str, str | None]) -> Path:
        return write_tree(self.folder, {f"{name.removeprefix('m')}.sql": pair for name, pair in migrations.items()})

    def tables(self) -> set[str]:
        sql = {
            "d1": "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            "postgres": "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'",
        }[self.store]
        return {row["name"] for row in self.target().rows(sql)}

    def process(self, body: str, folder: Path) -> subprocess.Popen[str]:
        """Start a Python of its own that has `target`, for `folder`."""
        where = (
            f"D1Target.local(State(Path({str(self.where.folder)!r})), folder=folder)"
            if isinstance(self.where, State)
            else "PostgresTarget(sys.stdin.readline().strip(), folder=folder)"
        )
        head = (
            "import sys, time\nfrom pathlib import Path\nfrom tools.d1_target import D1Target\n"
            "from tools.postgres_target import PostgresTarget\nfrom tools.state import State\n"
            f"folder = Path({str(folder)!r})\ntarget = {where}\n"
        )
        started = subprocess.Popen(
            [sys.executable, "-c", head + body],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if started.stdin is not None and isinstance(self.where, str):
            started.stdin.write(self.where + "\n")
            started.stdin.flush()
        return started
