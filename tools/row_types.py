"""Write src/lib/store/schema.py from the migrated schema: a type for the rows of each table, and whose rows they are.

Usage: python -m tools.row_types [--check]      (--check only tells whether the file is fresh)

The migrations of D1 run in a SQLite in memory, and what is asked is SQLite itself, so that a column that a later
migration adds or drops is seen as it is.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tools.arguments import is_check
from tools.project import ROOT, ToolError

MIGRATIONS = ROOT / "migrations"
OUTPUT = ROOT / "src" / "lib" / "store" / "schema.py"

# Tables that keep the books of SQLite, D1, wrangler and our own migrations: the application never reads them.
BOOKKEEPING = ("sqlite_", "_cf_", "d1_", "headgate_")
# A table's singular, where taking the `s` away does not give it.
SINGULARS: Mapping[str, str] = {}
_PLAIN_PLURAL = re.compile(r"(?<![sxzi]e)(?<![sc]he)(?<![siu])s$")  # neither policies, boxes and matches, nor status
# Tables whose rows belong neither to an organisation nor to a person, on purpose. Any other must name one.
SHARED = {"signing_keys"}  # the deployment's own
# What a JSON text is to the application. `lib.store.rows.decode` knows how to read these.
JSON_TYPES = {
    ("api_keys", "scopes"): "frozenset[str]",
    ("api_keys", "model_names"): "frozenset[str]",
    ("api_keys", "ip_ranges"): "frozenset[str]",
    ("api_keys", "origins"): "frozenset[str]",
    ("roles", "permissions"): "frozenset[str]",
}

HEADER = '''\
"""Made by tools/row_types.py from migrations/*.sql; don't edit. `make types` makes it anew.

A row of each table as the store decodes it, columns in the table's order, and whose rows they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
'''


@dataclass(frozen=True)
class Column:
    """A column. `type` is the Python annotation of its values."""

    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """A table of the application."""

    name: str
    columns: tuple[Column, ...]

    def row_type(self) -> str:
        """The name of its rows' type: `api_keys` has `ApiKeyRow`."""
        return "".join(word.capitalize() for word in singular(self.name).split("_")) + "Row"

    def tenant_column(self) -> str | None:
        """The column that names the organisation a row belongs to, or None where it belongs to none."""
        if self.name == "orgs":
            return "id"
        if self._has("org_id"):
            return "org_id"
        if self.name in SHARED or self.person_column():
            return None
        raise ToolError(f"{self.name} has no org_id: whose rows are they? tools/row_types.py lists tables of no one")

    def person_column(self) -> str | None:
        """The column that names the person a row belongs to, or None where it belongs to none.

        A membership belongs to both its organisation and its person.
        """
        if self.name == "users":
            return "id"
        own = self._has("user_id") and (not self._has("org_id") or self.name == "memberships")
        return "user_id" if own else None

    def _has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)


def singular(table: str) -> str:
    """The noun for one row. Raises ToolError where the plural is not a plain one and nobody wrote its singular down."""
    if table in SINGULARS:
        return SINGULARS[table]
    if _PLAIN_PLURAL.search(table):
        return table[:-1]
    raise ToolError(f"one row of {table} has no known name: add it to SINGULARS in tools/row_types.py")


def read(migrations: Path) -> list[Table]:
    """The tables of the application, in the order of their names, after all migrations in a folder."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for path in sorted(migrations.glob("[0-9]*.sql")):
            try:
                connection.executescript(path.read_text(encoding="utf-8"))
            except sqlite3.Error as error:
                raise ToolError(f"{path.name}: {error}") from None
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        return [
            Table(name, _columns(connection, name, re.sub(r"--[^\n]*", "", sql)))
            for name, sql in found
            if not name.startswith(BOOKKEEPING)
        ]


def _columns(connection: sqlite3.Connection, table: str, sql: str) -> tuple[Column, ...]:
    [(strict,)] = connection.execute("SELECT strict FROM pragma_table_list WHERE name = ?", [table]).fetchall()
    if not strict:
        raise ToolError(f"{table} is not STRICT: its columns may hold anything, so its rows have no type")
    described = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY cid', [table])
    columns = []
    for name, declared, required, key in described.fetchall():
        type_ = _type(table, name, declared, sql)
        never_null = required or key  # a key's columns too, in a STRICT table
        columns.append(Column(name, type_ if never_null else f"{type_} | None"))
    return tuple(columns)


def _type(table: str, column: str, declared: str, sql: str) -> str:
    name = rf'"?{re.escape(column)}"?'
    if declared == "INTEGER":
        return "bool" if _says(sql, rf"CHECK ?\( ?{name} IN ?\( ?0, ?1 ?\) ?\)") else "int"
    if declared != "TEXT":
        raise ToolError(f"{table}.{column} is {declared}: only TEXT and INTEGER mean the same in every store")
    if _says(sql, rf"\bjson_valid ?\( ?{name} ?\)"):
        if (table, column) not in JSON_TYPES:
            raise ToolError(f"{table}.{column} is JSON: say in JSON_TYPES in tools/row_types.py what it holds")
        return JSON_TYPES[table, column]
    return "datetime" if column.endswith("_at") else "str"


def _says(sql: str, pattern: str) -> bool:
    return re.search(pattern, " ".join(sql.split()), re.IGNORECASE) is not None


def render(tables: list[Table]) -> str:
    """Return the module as text, as the formatter leaves it."""
    parts = [HEADER]
    for table in tables:
        fields = "".join(f"    {column.name}: {column.type}\n" for column in table.columns)
        head = f'@dataclass(frozen=True, slots=True)\nclass {table.row_type()}:\n    """A row of `{table.name}`."""\n\n'
        parts.append("\n\n" + head + fields)
    tenants = {table.name: column for table in tables if (column := table.tenant_column())}
    about = "# The tables whose rows belong to an organisation, and the column that names it."
    parts.append(f"\n\n{about}\n{_mapping('TENANT_COLUMNS', tenants)}")
    persons = {table.name: column for table in tables if (column := table.person_column())}
    about = "# The tables whose rows belong to a person, and the column that names it."
    parts.append(f"{about}\n{_mapping('PERSON_COLUMNS', persons)}" if persons else "")
    return "".join(parts)


def _mapping(name: str, columns: Mapping[str, str]) -> str:
    listed = "".join(f'    "{table}": "{column}",\n' for table, column in columns.items())
    return f"{name}: Mapping[str, str] = {{\n{listed}}}\n"


def main() -> None:
    check = is_check(__doc__)
    try:
        fresh = render(read(MIGRATIONS))
    except ToolError as error:
        sys.exit(f"row types: {error}")
    if not check:
        OUTPUT.write_text(fresh, encoding="utf-8")
    elif not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != fresh:
        sys.exit("src/lib/store/schema.py is stale: run make types")


if __name__ == "__main__":
    main()
