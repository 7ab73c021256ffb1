"""The migrations of the tree against those that a database has seen: what to apply, what to undo, what to refuse.

Nothing here talks to a database. tools/d1_target.py and tools/postgres_target.py do.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tools.project import ROOT, ToolError

D1_FOLDER = ROOT / "migrations"
POSTGRES_FOLDER = D1_FOLDER / "postgres"
# Tables that the tools keep beside the schema. `d1_migrations` is wrangler's own.
BOOKKEEPING = frozenset({"d1_migrations", "headgate_migrations", "headgate_migration_lock"})

NO_TRANSACTION = "-- headgate: no-transaction"
_NAME = re.compile(r"[0-9]{4}_[a-z0-9_]+\.sql")
_ENDS_A_TRANSACTION = re.compile(
    r"^[ \t]*(BEGIN|START|COMMIT|ROLLBACK|ABORT)([ \t]+(TRANSACTION|WORK))?[ \t]*;", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True)
class Migration:
    """One numbered change, and its way back where there is one."""

    name: str  # of the file, as wrangler writes it down: 0001_initial.sql
    up: str
    down_path: Path

    @cached_property
    def checksum(self) -> str:
        return hashlib.sha256(self.up.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        return not self.up.startswith(NO_TRANSACTION)

    def down(self) -> str:
        """Raises ToolError when nobody has written the way back."""
        if not self.down_path.is_file():
            raise ToolError(f"{self.name} has no way back: {_shown(self.down_path)} is missing.")
        return _sql_of(self.down_path)


@dataclass(frozen=True)
class Applied:
    """What a database says about one migration. No checksum: wrangler applied it."""

    name: str
    applied_at: str
    checksum: str | None


class Condition(StrEnum):
    """How a migration stands between the tree and the database."""

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "edited"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Line:
    """One line of `status`."""

    name: str
    applied_at: str  # empty while it is pending
    condition: Condition


class Target(Protocol):
    """One database. Each method raises ToolError in words for the person at the terminal."""

    def up(self) -> list[str]:
        """Apply what is pending, all or nothing where the database allows. Return the names."""

    def down(self, steps: int) -> list[str]:
        """Undo the last `steps` migrations. Return the names, the last one first."""

    def status(self) -> list[Line]:
        """Every migration of the tree and of the database, in order."""

    def execute(self, sql: str) -> None:
        """Run the statements as one: all or nothing."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Run one query."""

    def known_current(self) -> bool:
        """Whether it is certain, without asking the database, that nothing is pending."""


def read_tree(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order. Raises ToolError for a name, number or text that would fail later."""
    paths = sorted(path for path in folder.glob("*.sql") if path.is_file())
    for number, path in enumerate(paths, 1):
        if not _NAME.fullmatch(path.name):
            raise ToolError(f"{_shown(path)}: a migration is named like 0002_add_teams.sql.")
        if int(path.name[:4]) != number:
            raise ToolError(f"{_shown(path)}: number {number:04} comes next; each is given once, without gaps.")
    return [Migration(path.name, _sql_of(path), path.parent / "down" / path.name) for path in paths]


def compare(tree: Sequence[Migration], applied: Sequence[Applied]) -> list[Line]:
    """One line a migration. Those that only the database knows come where their names sort."""
    files = {migration.name: migration for migration in tree}
    rows = {row.name: row for row in applied}
    lines = []
    for name in sorted({*files, *rows}):
        row = rows.get(name)
        if row is None:
            lines.append(Line(name, "", Condition.PENDING))
        elif name not in files:
            lines.append(Line(name, row.applied_at, Condition.UNKNOWN))
        else:
            changed = row.checksum not in (None, files[name].checksum)
            lines.append(Line(name, row.applied_at, Condition.EDITED if changed else Condition.APPLIED))
    return lines


def pending(tree: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What `up` must apply, in order. Raises ToolError when the database and the tree have parted."""
    lines = compare(tree, applied)
    _refuse_parted(lines)
    left = [migration for migration in tree if any(_is_pending(line, migration) for line in lines)]
    done = [line.name for line in lines if line.condition is Condition.APPLIED]
    if left and done and left[0].name < done[-1]:
        raise ToolError(
            f"{left[0].name} is pending, but {done[-1]} has been applied already: give it the next number instead."
        )
    return left


def to_adopt(tree: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """Those that wrangler applied: their checksums are not written down yet."""
    bare = {row.name for row in applied if row.checksum is None}
    return [migration for migration in tree if migration.name in bare]


def to_undo(tree: Sequence[Migration], applied: Sequence[Applied], steps: int) -> list[Migration]:
    """The last `steps` of the applied, the last one first. Raises ToolError when one of them cannot be undone."""
    if steps < 1:
        raise ToolError("--steps must be 1 or more.")
    last = [line for line in compare(tree, applied) if line.condition is not Condition.PENDING][::-1][:steps]
    _refuse_parted(last)
    files = {migration.name: migration for migration in tree}
    return [files[line.name] for line in last]


def statements(sql: str) -> list[str]:
    """The statements of a migration that runs without a transaction: each ends with a semicolon at a line's end."""
    bare = "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    return [part.strip() for part in re.split(r";[ \t]*(?:\n|$)", bare) if part.strip()]


def quoted(text: str) -> str:
    """A literal of both dialects. For our own names and sums: what comes from outside is bound."""
    return "'" + text.replace("'", "''") + "'"


def tell(line: str) -> None:
    """What the person should know besides the result."""
    print(line, file=sys.stderr)


def _is_pending(line: Line, migration: Migration) -> bool:
    return line.name == migration.name and line.condition is Condition.PENDING


def _refuse_parted(lines: Sequence[Line]) -> None:
    for line in lines:
        if line.condition is Condition.EDITED:
            raise ToolError(
                f"{line.name} was edited after it had been applied (its checksum differs): put the file back as it"
                " was, and make the change in a new migration."
            )
        if line.condition is Condition.UNKNOWN:
            raise ToolError(
                f"{line.name} has been applied to this database, but is not in this checkout: use the checkout that"
                " has it."
            )


def _sql_of(path: Path) -> str:
    """The text, with the same line ends on every machine. Raises ToolError when it would not run as one."""
    sql = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    code = [line for line in sql.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    if not code or not code[-1].rstrip().endswith(";"):
        raise ToolError(f"{_shown(path)}: the last statement must end with a semicolon.")
    if _ENDS_A_TRANSACTION.search(sql):
        raise ToolError(f"{_shown(path)}: a migration must not begin or end a transaction: it runs inside one.")
    return sql


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
