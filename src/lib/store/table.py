"""A table of rows that organisations have: the statements that each such table needs, from its row type alone.

    TEAMS = Table("teams", TeamRow, most=200, changes=("name",), by="name")
    await TEAMS.get(database, org_id, team_id)
    await work.commit(event, TEAMS.delete(org_id, team_id, version), only_if=TEAMS.found(org_id, team_id, version))

Both stores take them. What reads or writes otherwise has SQL of its own, beside its table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Generic, TypeVar

from lib.store.conditions import found
from lib.store.database import Database, Read, Statement, Value
from lib.store.rows import columns
from lib.store.tenant import Org

Row = TypeVar("Row")
AFTER_ALL = "~"  # sorts behind every id


@dataclass(frozen=True)  # no slots: what is derived is kept
class Table(Generic[Row]):
    """A table whose rows have `org_id`, `id`, and where they change also `version` and `updated_at`.

    most: so many rows an organisation may have. counted: a condition on those that are counted for that, where it is
    not all; `?1` is the organisation in it, and `?2` and on are the new row's other columns in their order.
    changes: the columns that an update writes.
    by: the column that a list is sorted by: upwards, but for `id`, by which the newest is first.
    """

    name: str
    row: type[Row]
    most: int
    changes: tuple[str, ...] = ()
    by: str = "id"
    counted: str = ""

    @cached_property
    def columns(self) -> str:
        """All columns, as a SELECT lists them."""
        return columns(self.row)

    @property
    def start(self) -> str:
        """What stands before every row of a list."""
        return AFTER_ALL if self.by == "id" else ""

    async def get(self, database: Database, org_id: str, row_id: str, also: str = "", *values: Value) -> Row | None:
        """Return one row, or None when the organisation has none of this id. `also`: further conditions on it."""
        sql = f"SELECT {self.columns} FROM {self.name} WHERE org_id = ? AND id = ?{also}"
        return await database.one(Org(org_id), self.row, sql, org_id, row_id, *values)

    async def all(self, database: Database, org_id: str) -> list[Row]:
        """Return all rows of an organisation, in no order."""
        sql = f"SELECT {self.columns} FROM {self.name} WHERE org_id = ?"
        return await database.query(Org(org_id), self.row, sql, org_id)

    async def page(
        self, database: Database, org_id: str, after: str, most: int, also: str = "", *values: Value
    ) -> list[Row]:
        """Return rows that stand behind `after`, in the table's order. They may be RECENT."""
        behind, order = ("<", "id DESC") if self.by == "id" else (">", self.by)
        sql = (
            f"SELECT {self.columns} FROM {self.name} WHERE org_id = ? AND {self.by} {behind} ?{also}"
            f" ORDER BY {order} LIMIT ?"
        )
        return await database.query(Org(org_id), self.row, sql, org_id, after, *values, most, read=Read.RECENT)

    def found(self, org_id: str, row_id: str, version: int | None = None) -> Statement:
        """Return what finds a row, at `version` only where that is said."""
        return found(self.name, org_id, row_id, version)

    def insert(self, row: Row) -> Statement:
        """Return the statement that makes a row while there is room. In a group no other comes between."""
        counted = f" AND {self.counted}" if self.counted else ""
        room = f"(SELECT count(*) FROM {self.name} WHERE org_id = ?1{counted}) < ?{len(fields(row)) + 1}"  # type: ignore[arg-type]
        return self.insert_where(row, room, self.most)

    def insert_where(self, row: Row, condition: str, *values: Value) -> Statement:
        """Return the statement that makes a row where a condition holds. Its values stand behind the row's columns."""
        told = {"org_id": None, **{field.name: _stored(getattr(row, field.name)) for field in fields(row)}}  # type: ignore[arg-type]
        places = ", ".join(f"?{number}" for number in range(1, len(told) + 1))
        sql = f"INSERT INTO {self.name} ({', '.join(told)}) SELECT {places} WHERE {condition}"
        return Statement(sql, (*told.values(), *values))

    def insert_if(self, row: Row, only_if: Statement) -> Statement:
        """Return the statement that makes a row where a condition of a change finds something."""
        told = {field.name: _stored(getattr(row, field.name)) for field in fields(row)}  # type: ignore[arg-type]
        places = ", ".join("?" * len(told))
        sql = f"INSERT INTO {self.name} ({', '.join(told)}) SELECT {places} WHERE EXISTS ({only_if.sql})"
        return Statement(sql, (*told.values(), *only_if.values))

    def update(self, row: Any) -> Statement:
        """Return the statement that writes what may change of a row that is still at this one's version."""
        listed = "".join(f"{name} = ?, " for name in self.changes)
        return Statement(
            f"UPDATE {self.name} SET {listed}version = version + 1, updated_at = ?"
            " WHERE org_id = ? AND id = ? AND version = ?",
            (*(_stored(getattr(row, name)) for name in (*self.changes, "updated_at", "org_id", "id", "version")),),
        )

    def delete(self, org_id: str, row_id: str, version: int | None = None) -> Statement:
        """Return the statement that deletes a row, at `version` only where that is said."""
        sql, values = f"DELETE FROM {self.name} WHERE org_id = ? AND id = ?", (org_id, row_id)
        return Statement(sql, values) if version is None else Statement(f"{sql} AND version = ?", (*values, version))


def _stored(value: Any) -> Value:
    """Return a column's value as a store takes it: a set of texts is one JSON text."""
    return json.dumps(sorted(value)) if isinstance(value, frozenset) else value
