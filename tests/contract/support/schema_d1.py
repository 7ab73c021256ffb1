"""The schema of a D1 database, by the map of types that docs/migrations.md gives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from tests.contract.support.schema import Column, ForeignKey, Index, Table, normal
from tools.local_d1 import LocalD1
from tools.migrations import BOOKKEEPING
from tools.state import State

Rows = list[dict[str, Any]]

QUERIES = """
SELECT name AS "table", sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name;
SELECT m.name AS "table", c.name, c.type, c."notnull", c.dflt_value, c.pk
  FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid;
SELECT m.name AS "table", f.id, f."table" AS target, f."from", f."to", f.on_update, f.on_delete
  FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq;
SELECT m.name AS "table", l.name, l."unique", l.origin, i.name AS "column",
    (SELECT s.sql FROM sqlite_schema s WHERE s.name = l.name) AS sql
  FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
  WHERE m.type = 'table' ORDER BY m.name, l.name, i.seqno;
"""


def read(state: State) -> dict[str, Table]:
    """Every table but the tools' own."""
    tables, columns, keys, indexes = LocalD1(state).query(QUERIES, what="reading the schema")
    return {
        row["table"]: _table(row["sql"], *(_of(row["table"], rows) for rows in (columns, keys, indexes)))
        for row in tables
        if row["table"] not in BOOKKEEPING and not row["table"].startswith("_cf_")
    }


def checks_in(sql: str) -> list[str]:
    """What stands between the parentheses of each CHECK."""
    found = []
    for match in re.finditer(r"CHECK \(", sql):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        found.append(sql[match.end() : end - 1])
    return found


def _of(table: str, rows: Rows) -> Rows:
    return [row for row in rows if row["table"] == table]


def _table(sql: str, columns: Rows, keys: Rows, indexes: Rows) -> Table:
    checks = checks_in(sql)
    by_type = {text for row in columns for text in _checks_of_type(row["name"])}
    grouped = [list(group) for _, group in groupby(indexes, lambda row: row["name"])]
    return Table(
        columns=tuple(_column(row, checks) for row in columns),
        primary_key=tuple(row["name"] for row in sorted(columns, key=lambda row: row["pk"]) if row["pk"]),
        unique=frozenset(_names(group, "column") for group in grouped if group[0]["origin"] == "u"),
        foreign_keys=frozenset(_foreign_key(list(group)) for _, group in groupby(keys, lambda row: row["id"])),
        indexes=frozenset(_index(group) for group in grouped if group[0]["origin"] == "c"),
        checks=tuple(sorted(normal(text) for text in checks if text not in by_type)),
    )


def _checks_of_type(name: str) -> tuple[str, str, str]:
    """Conditions that are a type of its own in PostgreSQL: JSON, JSON or NULL, and boolean."""
    return f"json_valid({name})", f"{name} IS NULL OR json_valid({name})", f"{name} IN (0, 1)"


def _column(row: dict[str, Any], checks: list[str]) -> Column:
    name, default = row["name"], row["dflt_value"]
    json, perhaps_json, boolean = (text in checks for text in _checks_of_type(name))
    if json or perhaps_json:
        kind = "jsonb"
    elif boolean:
        kind, default = "boolean", {"0": "false", "1": "true"}.get(default, default)
    elif row["type"] == "TEXT":
        kind = "timestamp with time zone" if name.endswith("_at") else 'text COLLATE "C"'
    else:
        kind = {"INTEGER": "bigint"}[row["type"]]
    return Column(name, kind, bool(row["notnull"] or row["pk"]), default)


def _names(rows: Iterable[dict[str, Any]], key: str) -> tuple[str, ...]:
    return tuple(row[key] for row in rows)


def _foreign_key(rows: Rows) -> ForeignKey:
    first = rows[0]
    return ForeignKey(_names(rows, "from"), first["target"], _names(rows, "to"), first["on_update"], first["on_delete"])


def _index(rows: Rows) -> Index:
    first = rows[0]
    _, _, where = first["sql"].partition(" WHERE ")
    return Index(first["name"], bool(first["unique"]), _names(rows, "column"), normal(where))
