"""The schema of a PostgreSQL database, from its catalogue."""

from __future__ import annotations

from typing import Any

from tests.contract.support.databases import query
from tests.contract.support.schema import Column, ForeignKey, Index, Table, normal
from tools.migrations import BOOKKEEPING

Rows = list[dict[str, Any]]

ACTIONS = {"a": "NO ACTION", "c": "CASCADE", "n": "SET NULL", "r": "RESTRICT", "d": "SET DEFAULT"}
COLUMNS = """
SELECT c.relname::text AS "table", a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type,
    coalesce(l.collname::text, '') AS collation, a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS default
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text AS "table", contype::text AS kind, confrelid::regclass::text AS target,
    confupdtype::text AS on_update, confdeltype::text AS on_delete, pg_get_constraintdef(k.oid) AS definition,
    ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS u (number, place)
      JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS columns,
    ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS u (number, place)
      JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY place) AS "to"
  FROM pg_constraint k WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
"""
INDEXES = """
SELECT indrelid::regclass::text AS "table", indexrelid::regclass::text AS name, indisunique AS unique,
    coalesce(pg_get_expr(indpred, indrelid), '') AS where,
    ARRAY(SELECT pg_get_indexdef(indexrelid, place, true) FROM generate_series(1, indnkeyatts) AS place) AS columns
  FROM pg_index JOIN pg_class c ON c.oid = indrelid
  WHERE c.relnamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""


def read(url: str) -> dict[str, Table]:
    """Every table but the tools' own."""
    columns, constraints, indexes = (query(url, sql) for sql in (COLUMNS, CONSTRAINTS, INDEXES))
    names = {row["table"] for row in columns} - BOOKKEEPING
    return {name: _table(*(_of(name, rows) for rows in (columns, constraints, indexes))) for name in names}


def _of(table: str, rows: Rows) -> Rows:
    return [row for row in rows if row["table"] == table]


def _table(columns: Rows, constraints: Rows, indexes: Rows) -> Table:
    keys: dict[str, Rows] = {kind: [row for row in constraints if row["kind"] == kind] for kind in "pufc"}
    return Table(
        columns=tuple(_column(row) for row in columns),
        primary_key=tuple(name for row in keys["p"] for name in row["columns"]),
        unique=frozenset(tuple(row["columns"]) for row in keys["u"]),
        foreign_keys=frozenset(_foreign_key(row) for row in keys["f"]),
        indexes=frozenset(_index(row) for row in indexes),
        checks=tuple(sorted(normal(row["definition"].removeprefix("CHECK ")) for row in keys["c"])),
    )


def _column(row: dict[str, Any]) -> Column:
    kind = row["type"] + (f' COLLATE "{row["collation"]}"' if row["collation"] else "")
    default = row["default"] and row["default"].removesuffix("::text")
    return Column(row["name"], kind, row["not_null"], default)


def _foreign_key(row: dict[str, Any]) -> ForeignKey:
    actions = (ACTIONS[row["on_update"]], ACTIONS[row["on_delete"]])
    return ForeignKey(tuple(row["columns"]), row["target"], tuple(row["to"]), *actions)


def _index(row: dict[str, Any]) -> Index:
    return Index(row["name"], row["unique"], tuple(row["columns"]), normal(row["where"]))
