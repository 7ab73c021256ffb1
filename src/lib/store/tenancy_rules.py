"""The rules of `tenancy.py`: which places of a statement hold its tables to one organisation.

A level is what stands between two parentheses, or outside of all: the tables, conditions and lists of one SELECT, or of
one statement that writes. Levels are judged one by one, so a table in a subquery is held there or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lib.store.sql_text import Item, split

# In the order in which they stand. JOIN and ON take turns; each of the others stands once.
_ORDER = ("select", "set", "values", "from", "join", "where", "group", "having", "order", "limit", "returning")
_CLAUSES = {*_ORDER, "on"}
_SETS = ("union", "except", "intersect")
_JOINS = {"left", "inner", "cross", "outer"}
# Words that would make a condition mean something else, or that no statement of ours needs.
_REFUSED = {"with", "replace", "right", "full", "natural", "using", "between", "window", "pragma", "attach", "only"}


class NotHeld(Exception):
    """A table's rows are not held to one organisation; the text says which and why."""


@dataclass(frozen=True)
class Link:
    """How a table that is only read is held: its `column` is the `other` column of a row of `table` that is held."""

    column: str
    table: str
    other: str


@dataclass(frozen=True)
class _Table:
    """A table, or what stands for one, where a level reads from it or writes to it."""

    name: str  # "" for a subquery
    alias: str
    conditions: list[list[Item]] = field(default_factory=list)  # of its own ON


def places(items: Sequence[Item], columns: Mapping[str, str], links: Mapping[str, Link]) -> frozenset[int]:
    """Return the numbers of the places that hold the statement's tables: by each table's column, or by its link.

    Raises NotHeld.
    """
    return places_of_both(items, columns, links, {})[0]


def places_of_both(
    items: Sequence[Item], columns: Mapping[str, str], links: Mapping[str, Link], others: Mapping[str, str]
) -> tuple[frozenset[int], frozenset[int]]:
    """Return the same, and the places that hold what only a SELECT from one table reads, by a column of `others`.

    Nothing else is held by a table that is held so: its rows are not one organisation's. Raises NotHeld.
    """
    if not items or items[0] not in ("select", "insert", "update", "delete"):
        raise NotHeld("it neither reads nor writes rows")
    judge = _Judge(columns, links, others)
    judge.level(items)
    return frozenset(judge.places), frozenset(judge.other_places)


class _Judge:
    def __init__(self, columns: Mapping[str, str], links: Mapping[str, Link], others: Mapping[str, str]) -> None:
        self._columns = columns
        self._links = links
        self._others = others
        self.places: set[int] = set()
        self.other_places: set[int] = set()

    def level(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, list):
                self.level(item)
        for part in [list(items)] if items[:1] == ["insert"] else split(items, *_SETS):
            self._part(part[1:] if part[:1] == ["all"] else part)

    def _part(self, items: list[Item]) -> None:
        refused = sorted(word for word in items if isinstance(word, str) and word in _REFUSED)
        if refused:
            raise NotHeld(f"`{refused[0]}` is not understood")
        verb = items[0] if items else ""
        if verb == "insert":
            self._insert(items)
        elif verb in ("select", "update", "delete"):
            self._read(items)
        elif self._mentions(items):
            raise NotHeld("a table stands where none is expected")

    def _read(self, items: list[Item]) -> set[str]:
        """Judge a SELECT, UPDATE or DELETE; return the aliases of the tables that are held."""
        _check_order(items)
        tables, where = _tables(items), _conditions(items)
        aliases = [table.alias for table in tables if table.alias]
        if len(set(aliases)) < len(aliases):
            raise NotHeld("two tables have one name")
        named = [table for table in tables if table.name in self._columns or table.name in self._links]
        if self._mentions(items) != len(named):
            raise NotHeld("a table stands where none is expected")
        if items[0] != "select" and tables and tables[0].name in self._links:
            raise NotHeld(f"{tables[0].name} may only be read")
        if items[0] == "update":
            self._check_assignments(items, named[0].name if named and named[0] is tables[0] else "")
        held: set[str] = set()
        while True:
            more = {
                table.alias for table in named if table.alias not in held and self._held(table, where, tables, held)
            }
            if not more:
                break
            held |= more
        loose = [table.name for table in named if table.alias not in held]
        if loose and not (items[0] == "select" and len(tables) == 1 and self._held_otherwise(tables[0], where)):
            raise NotHeld(f"{loose[0]} is not held")
        return held

    def _held(self, table: _Table, where: list[list[Item]], tables: list[_Table], held: set[str]) -> bool:
        for condition in [*where, *table.conditions]:
            sides = split(condition, "=")
            if len(sides) == 2:
                for own, other in (sides, sides[::-1]):
                    if self._holds(table, own, other, tables, held):
                        return True
        return False

    def _held_otherwise(self, table: _Table, where: list[list[Item]]) -> bool:
        """Tell whether the one table of a SELECT is held by its other column, and note the place."""
        column = self._others.get(table.name)
        if column is None:
            return False
        named = [[column], [table.alias, ".", column]]
        for sides in (split(condition, "=") for condition in where):
            for own, other in (sides, sides[::-1]) if len(sides) == 2 else ():
                if own in named and len(other) == 1 and isinstance(other[0], str) and other[0].startswith("?"):
                    self.other_places.add(int(other[0][1:]))
                    return True
        return False

    def _holds(self, table: _Table, own: list[Item], other: list[Item], tables: list[_Table], held: set[str]) -> bool:
        link = self._links.get(table.name)
        if link is None:
            return self._is_column(own, table, alone=len(tables) == 1) and self._anchors(other, tables, held)
        return own == [table.alias, ".", link.column] and any(
            row.name == link.table and row.alias in held and other == [row.alias, ".", link.other] for row in tables
        )

    def _is_column(self, side: list[Item], table: _Table, *, alone: bool) -> bool:
        column = self._columns.get(table.name)
        return column is not None and (side == [table.alias, ".", column] or (alone and side == [column]))

    def _anchors(self, side: list[Item], tables: list[_Table], held: set[str]) -> bool:
        """Tell whether this is a place, which is noted, or the column of a table that is held."""
        if len(side) == 1 and isinstance(side[0], str) and side[0].startswith("?"):
            self.places.add(int(side[0][1:]))
            return True
        return any(table.alias in held and self._is_column(side, table, alone=len(tables) == 1) for table in tables)

    def _insert(self, items: list[Item]) -> None:
        main, conflict = _at_conflict(items)
        match main:
            case ["insert", "into", str(table), list(listed), *rest]:
                names = [name[0] for name in split(listed, ",") if name]
            case _:
                raise NotHeld("an INSERT lists its columns")
        column = self._columns.get(table)
        if table in self._links:
            raise NotHeld(f"{table} may only be read")
        if column is not None and column not in names:
            raise NotHeld(f"{table} is written without its {column}")
        self._inserted(rest, names.index(column) if column is not None else None)
        if column is not None and "update" in conflict:
            self._check_conflict(table, column, conflict)

    def _inserted(self, rest: list[Item], at: int | None) -> None:
        """Judge what is inserted: the item number `at` of each row must be held."""
        tables: list[_Table] = []
        held: set[str] = set()
        rows = [row if isinstance(row, list) else [] for row in rest[1::2]]
        if rest[:1] == ["select"] and not any(word in rest for word in _SETS):
            tables, held, rows = _tables(rest), self._read(rest), [_clause(rest, "select")]
            if "*" in rows[0]:
                raise NotHeld("an INSERT that selects names its values one by one")
        elif rest[:1] != ["values"] or any(separator != "," for separator in rest[2::2]):
            raise NotHeld("an INSERT has VALUES or one SELECT")
        for value in [split(row, ",")[at : at + 1] for row in rows] if at is not None else []:
            if not value or not self._anchors(split(value[0], "as")[0], tables, held):
                raise NotHeld("a row is written for an organisation that is not bound")

    def _check_conflict(self, table: str, column: str, conflict: list[Item]) -> None:
        if conflict.count("conflict") > 1:
            raise NotHeld("there is more than one ON CONFLICT")
        if any(word in conflict for word in _CLAUSES - {"on", "set", "where"}):
            raise NotHeld("a conflict has more than SET and WHERE")
        _check_order(conflict[2:])
        self._check_assignments(conflict, table)
        target = conflict[2] if isinstance(conflict[2], list) else []
        own, new = [table, ".", column], ["excluded", ".", column]
        if [column] in split(target, ","):
            return
        if not any(split(condition, "=") in ([own, new], [new, own]) for condition in _conditions(conflict)):
            raise NotHeld(f"a conflict might change another organisation's row of {table}")

    def _check_assignments(self, items: list[Item], table: str) -> None:
        assigned = [side[0] for side in split(_clause(items, "set"), ",") if side]
        if any(isinstance(name, list) for name in assigned):
            raise NotHeld("columns are assigned one by one")
        if self._columns.get(table, "") in assigned:
            raise NotHeld(f"a row of {table} would change hands")

    def _mentions(self, items: Sequence[Item]) -> int:
        """Count where a table is named on this level, but for the names before a column."""
        following = [*items[1:], ""]
        return sum(
            isinstance(item, str) and (item in self._columns or item in self._links) and after != "."
            for item, after in zip(items, following, strict=False)
        )


def _at_conflict(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Return what is inserted, and what is to happen in a conflict; [] where nothing is said of one."""
    for at in range(len(items) - 2):
        target = 1 if isinstance(items[at + 2], list) else 0
        if items[at : at + 2] == ["on", "conflict"] and items[at + 2 + target : at + 3 + target] == ["do"]:
            return items[:at], items[at:]
    return items, []


def _check_order(items: Sequence[Item]) -> None:
    """Refuse a clause's word where no clause begins, as in `IS DISTINCT FROM`: it would hide what follows."""
    words = [item for item in items if isinstance(item, str) and item in _ORDER]
    ranks = [_ORDER.index(word) for word in words]
    if ranks != sorted(ranks) or any(words.count(word) > 1 for word in words if word != "join"):
        raise NotHeld("the clauses do not stand in their order")
    last_join = max((at for at, item in enumerate(items) if item in ("join", "on")), default=0)
    if "where" in items and items.index("where") < last_join:
        raise NotHeld("the clauses do not stand in their order")


def _clause(items: Sequence[Item], name: str) -> list[Item]:
    """Return what stands behind a clause's word, up to the next clause; [] where there is no such clause."""
    words = [item if isinstance(item, str) else "" for item in items]
    if name not in words:
        return []
    start = words.index(name) + 1
    end = next((at for at in range(start, len(words)) if words[at] in _CLAUSES), len(words))
    return list(items[start:end])


def _conditions(items: Sequence[Item]) -> list[list[Item]]:
    """Return the conditions that AND joins in WHERE. An OR beside them gets around each, so then there are none."""
    return _joined(_clause(items, "where"))


def _joined(clause: list[Item]) -> list[list[Item]]:
    while clause and isinstance(clause[-1], str) and clause[-1] in _JOINS:  # the next join's own word
        clause = clause[:-1]
    return [] if "or" in clause else split(clause, "and")


def _tables(items: list[Item]) -> list[_Table]:
    """Return the tables of a level, the one that is written first."""
    first = [_table(items[1 : items.index("set")], [])] if items[:1] == ["update"] else []
    source = _clause(items, "from")
    tables = [_table(part, []) for part in split(source, ",")] if source else []
    rest = items[items.index("join") :] if "join" in items else []
    joined = [_table(join[: _end(join)], _joined(_clause(join, "on"))) for join in split(rest, "join")[1:]]
    return [*first, *tables, *joined]


def _end(items: list[Item]) -> int:
    return next((at for at, item in enumerate(items) if isinstance(item, str) and item in _CLAUSES), len(items))


def _table(items: list[Item], conditions: list[list[Item]]) -> _Table:
    """Read `name`, `name alias`, `name AS alias`, a function's call, or a subquery; each with `INDEXED BY` an index."""
    while items and isinstance(items[-1], str) and items[-1] in _JOINS:
        items = items[:-1]
    if items[-3:-1] == ["indexed", "by"]:
        items = items[:-3]
    match [item for item in items if item != "as"]:
        case [str(name)]:
            return _Table(name, name, conditions)
        case [str(name), str(alias)] if alias != ".":
            return _Table(name, alias, conditions)
        case [list(), str(alias)] | [str(), list(), str(alias)]:
            return _Table("", alias, conditions)
        case [list()] | [str(), list()]:
            return _Table("", "", conditions)
        case _:
            raise NotHeld("a table is named in a way that is not understood")
