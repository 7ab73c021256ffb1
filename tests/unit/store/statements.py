"""Statements put together from fragments, good and bad: what somebody might write by mistake, or to get around a wall.

What is bound: one's own organisation, or a person, at ?1 and ?4, another one at ?2, ?3, ?5 and ?6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from lib.store.schema import PERSON_COLUMNS, TENANT_COLUMNS

ALIASES = ["a", "b", "users", "left", "excluded", "conflict"]
JOINS = [", ", " JOIN ", " LEFT JOIN ", " LEFT OUTER JOIN ", " INNER JOIN ", " CROSS JOIN "]
WILD_JOINS = [" RIGHT JOIN ", " FULL JOIN ", " NATURAL JOIN ", " NATURAL LEFT JOIN "]
ODD_SOURCES = ["main.{}", "({})", '"{}"', "{} INDEXED BY x", "{} NOT INDEXED"]
VALUES = ["1", "count(*)", "{0}.*", "{0}.created_at", "min({0}.created_at)", "count({0}.updated_at)", "created_at", "*"]
PLAIN = [
    "1", "1 = 1", "{0}.created_at <> ''", "created_at > ''", "{0}.updated_at IS NOT NULL", "?2 = ?2", "?1 = ?4",
    "NOT 0", "{0}.created_at BETWEEN '' AND 'z'", "CASE WHEN 1 THEN 1 END", "{0}.created_at LIKE '%' ESCAPE 'x'",
    "created_at IS DISTINCT FROM 'x'", "'x' IN models", "'x' IN main.models", "?3 <> 'x'", "0",
]  # fmt: skip
WRAPPED = [
    "({})",
    "NOT {}", "{} IS NULL", "{} COLLATE nocase", "{} + 1", "{} || ''", "{} = 1", "1 = {}", "0 < {}", "({} OR 1)",
    "1 BETWEEN 0 AND {}", "CASE WHEN 1 THEN 1 ELSE {} END", "CASE 0 WHEN {} THEN 0 ELSE 1 END", "{} -- x", "{} /* x */",
    "iif(0, {}, 1)", "({}) IN (0, 1)", "1 IN (1) OR {}", "{} IN (0, 1)", "{} AND 1 OR 1", "x.{}", "{} NOTNULL",
]  # fmt: skip
SET = [
    "updated_at = 'x'", "created_at = 'x'", "created_at = {}.updated_at", "updated_at = 'a' IS DISTINCT FROM 'b'",
]  # fmt: skip
WILD_SET = ["{own} = ?2", "id = ?2", "(updated_at, {own}) = ('x', ?2)", "({own}) = (?2)"]
_HASH = f"'{'k' * 64}'"
Written = Mapping[str, tuple[str, dict[str, str]]]
_ID = f"'{'n' * 36}'"
_MADE = {"created_at": "'t'"}
_ENDING = {"secret_hash": _HASH, "expires_at": "'t'", **_MADE}


@dataclass(frozen=True)
class Vocabulary:
    """What is written about: tables by whose rows they are, and the column that names it.

    `linked` are a table that may only be read beside memberships, and the column of these that finds its row.
    `written` has for each table that is written its columns with values that fit, but for the one that names the owner.
    """

    columns: Mapping[str, str]
    column: str
    linked: tuple[str, str]
    strange: tuple[str, ...]  # tables of somebody else altogether
    written: Written


ORGS = Vocabulary(TENANT_COLUMNS, "org_id", ("users", "user_id"), ("sessions", "logins", "signing_keys"), {
    "models": ("org_id", {"id": "'m9'", "provider": "'p'", "upstream_model": "'u'", **_MADE}),
    "idempotent_answers": ("org_id", {"key_hash": _HASH, "request_hash": _HASH, **_MADE}),
    "memberships": ("org_id", {"user_id": f"'{'user-2'.ljust(36, '-')}'", "role": "'owner'", **_MADE}),
    "orgs": ("id", {"name": "'x'", **_MADE}),
    "model_prices": ("org_id", {
        "id": f"'{'theirs-price-0'.ljust(36, '-')}'", "input_nano_usd_per_token": "1", "output_nano_usd_per_token": "1",
        **_MADE,
    }),
    "roles": ("org_id", {"id": f"'{'theirs-role-0'.ljust(36, '-')}'", "name": "'x'", "permissions": "'[]'", **_MADE}),
    "invitations": ("org_id", {"id": _ID, "email": "'a@b'", "role": "'viewer'", **_ENDING}),
    "sessions": ("user_id", {"id": _ID, "seen_at": "'t'", **_ENDING}),
})  # fmt: skip
PERSONS = Vocabulary(PERSON_COLUMNS, "user_id", ("orgs", "org_id"), ("models", "audit_events", "api_keys"), {
    "users": ("id", {"email": "'new@x.invalid'", "name": "'x'", **_MADE}),
    "sessions": ("user_id", {"id": f"'{'user1-0'.ljust(36, '-')}'", "seen_at": "'t'", **_ENDING}),
    "refresh_tokens": ("user_id", {"id": _ID, "family_id": _ID, **_ENDING}),
    "revoked_tokens": ("user_id", {"jti_hash": f"'{'user1-0'.ljust(64, '-')}'", "expires_at": "'t'", **_MADE}),
    "recovery_codes": ("user_id", {"code_hash": _HASH, **_MADE}),
    "memberships": ("user_id", {"org_id": f"'{'other'.ljust(36, '-')}'", "role": "'owner'", **_MADE}),
    "models": ("org_id", {"id": "'m9'", "provider": "'p'", "upstream_model": "'u'", **_MADE}),
})  # fmt: skip
CONFLICTS = [
    "ON CONFLICT DO NOTHING",
    "ON CONFLICT DO UPDATE SET {set}{where}",
    "ON CONFLICT (id) DO UPDATE SET {set}{where}",
    "ON CONFLICT ({own}, {key}) DO UPDATE SET {set}{where}",
    "ON CONFLICT (id) DO NOTHING ON CONFLICT ({own}, {key}) DO UPDATE SET {set}{where}",
    "ON CONFLICT (id) WHERE {table}.{own} = excluded.{own} AND 1 DO UPDATE SET {set}{where}",
]
LIMITS = [
    "",
    " WHERE {table}.{own} = excluded.{own}",
    " WHERE {table}.{own} = ?1",
    " WHERE 1 OR {table}.{own} = ?1",
]


class Writer:
    """Writes statements, by one source of chance. Nearly all of them name the owner somewhere."""

    def __init__(self, seed: int, words: Vocabulary) -> None:
        self._words = words
        self._tables = [words.linked[0], *words.columns, *words.columns]
        self._aliases = [*ALIASES, *words.columns]
        self._random = Random(seed)  # noqa: S311 - tests that can be repeated, no secrets
        self.pick = self._random.choice

    def statement(self) -> str:
        """Write one of any kind."""
        text = self.pick([self.select, self.select, self.select, self.insert, self.insert, self.update, self.delete])()
        return re.sub(r"\?\d+", "?", text) if self._often(8) else text

    def select(self, depth: int = 2) -> str:
        """Write a SELECT, with subqueries down to `depth`."""
        parts = [self._one_select(depth)]
        while self._often(10):
            parts.append(self._one_select(depth))
        return self.pick([" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT "]).join(parts)

    def insert(self) -> str:
        """Write an INSERT of values or of what is selected, with or without a way out of a conflict."""
        table = self.pick(sorted(self._words.written))
        column, others = self._words.written[table]
        names = [column, *others, "updated_at"]
        self._random.shuffle(names)
        if self._often(25):
            names.append(column)
        verb = self.pick(["INSERT INTO"] * 12 + ["INSERT OR REPLACE INTO", "INSERT OR IGNORE INTO", "REPLACE INTO"])
        changed = self.pick([*SET, *SET, f"{column} = ?2", f"{SET[-1]}, {column} = ?2"]).format(table)
        limit = self.pick(LIMITS).format(table=table, own=column)
        conflict = self.pick(["", "", *CONFLICTS]).format(
            set=changed, where=limit, table=table, own=column, key=next(iter(others))
        )
        listed = "" if self._often(20) else f" ({', '.join(names)})"
        body = self._values(names, column, others)
        return f"{verb} {table}{listed} {body} {conflict}{self._returning(table)}"

    def update(self) -> str:
        """Write an UPDATE, with or without a FROM."""
        target, name = self._source(0)
        listed = [
            self.pick(WILD_SET if self._often(15) else SET).format(name, own=self._words.column)
            for _ in range(self.pick([1, 1, 2]))
        ]
        names, text = [name], f"UPDATE {target} SET {', '.join(listed)}"
        if self._often(2):
            source, more = self._sources(1)
            names, text = [name, *more], f"{text} FROM {source}"
        return f"{text}{self._where(names, 1)}{self._returning(name)}"

    def delete(self) -> str:
        """Write a DELETE."""
        source, name = self._source(0)
        return f"DELETE FROM {source}{self._where([name], 1)}{self._returning(name)}"

    def _often(self, one_in: int) -> bool:
        return self._random.randrange(one_in) == 0

    def _one_select(self, depth: int) -> str:
        source, names = self._sources(depth)
        text = f"SELECT {self._value(names, depth)} FROM {source}{self._where(names, depth)}"
        if self._often(8):
            text += f" GROUP BY {self._value(names, 0)}"
        if self._often(12):
            text += f" ORDER BY {self._value(names, depth)}"
        return text

    def _sources(self, depth: int) -> tuple[str, list[str]]:
        """Write what stands behind FROM; return it with the names by which columns may call it."""
        if self._often(4):
            return self._linked()
        text, first = self._source(depth)
        names = [first]
        while self._often(2) and len(names) < 4:
            how = self.pick(WILD_JOINS if self._often(20) else JOINS)
            more, name = self._source(depth)
            names.append(name)
            text += how + more
            if self._often(25):
                text += self.pick([f" USING ({self._words.column})", " USING (created_at)"])
            elif "JOIN" in how and not self._often(5):
                text += f" ON {self._conditions(names[-self.pick([1, 1, 2]) :], depth)}"
        return text, names

    def _linked(self) -> tuple[str, list[str]]:
        """Write the table that is read beside memberships, mostly as it must be."""
        table, column = self._words.linked
        how = self.pick([*JOINS[1:], *JOINS[1:], *WILD_JOINS])
        left, right = self.pick([("id", column)] * 6 + [("id", "org_id"), ("id", "user_id"), ("name", column)])
        text = f"{table}.{left} = memberships.{right}"
        if self._often(4):
            text = self.pick([f"memberships.{right} = {table}.{left}", f"{text} AND 1", f"{text} OR 1", f"NOT {text}"])
        first, second = self.pick([(table, "memberships"), ("memberships", table), ("memberships", table)])
        return f"{first}{how}{second} ON {text}", ["memberships", *([table] if self._often(8) else [])]

    def _source(self, depth: int) -> tuple[str, str]:
        alias, table = self.pick(self._aliases), self.pick(self._words.strange if self._often(15) else self._tables)
        if depth and self._often(10):
            return f"({self.select(depth - 1)}) AS {alias}", alias
        if self._often(20):
            return f"json_each('[1]') AS {alias}", alias
        if self._often(20):
            return self.pick(ODD_SOURCES).format(table), table
        if self._often(3):
            return f"{table}{self.pick([' ', ' AS '])}{alias}", alias
        return table, table

    def _where(self, names: list[str], depth: int) -> str:
        return "" if self._often(20) else f" WHERE {self._conditions(names, depth)}"

    def _conditions(self, names: list[str], depth: int) -> str:
        """Write conditions: nearly always one that holds each name, often with something beside it."""
        parts = [self._holding(name, names) for name in names if not self._often(12)]
        while self._often(2):
            parts.append(self._condition(names, depth))
        self._random.shuffle(parts)
        text = parts[0] if parts else "1"
        for part in parts[1:]:
            text += (" OR " if self._often(15) else " AND ") + part
        return text

    def _holding(self, name: str, names: list[str]) -> str:
        usual = self._words.columns.get(name, self._words.column)
        column = usual if not self._often(20) else self.pick(["org_id", "user_id", "id"])
        own = column if len(names) == 1 and self._often(2) else f"{name}.{column}"
        other = self.pick(["?1"] * 11 + ["?4", "?", "?2", "?01", f"{self.pick(names)}.{self._words.column}"])
        text = f"{other} = {own}" if self._often(3) else f"{own} = {other}"
        if self._often(25):
            text = text.replace(" = ", self.pick([" IS ", " >= ", " == ", " <> "]))
        return self.pick(WRAPPED).format(text) if self._often(10) else text

    def _condition(self, names: list[str], depth: int) -> str:
        if depth and self._often(2):
            inner = self.select(depth - 1)
            return self.pick(["EXISTS ({})", "NOT EXISTS ({})", "'x' NOT IN ({})", "({}) IS NOT NULL"]).format(inner)
        return self.pick(PLAIN).format(self.pick(names))

    def _value(self, names: list[str], depth: int) -> str:
        if depth and self._often(10):
            return f"({self.select(depth - 1)})"
        return self.pick(VALUES).format(self.pick(names))

    def _returning(self, name: str) -> str:
        return f" RETURNING {self._value([name], 1)}" if self._often(8) else ""

    def _values(self, names: list[str], column: str, others: dict[str, str]) -> str:
        rows = [self._row(names, column, others)]
        while self._often(4):
            rows.append(self._row(names, column, others))
        if self._often(2):
            text = "VALUES " + ", ".join(f"({row})" for row in rows)
            return text + (f" UNION ALL SELECT {self._row(names, column, others)}" if self._often(8) else "")
        source, more = self._sources(1)
        first = f"SELECT {rows[0].replace('@', more[0])} FROM {source}{self._where(more, 1)}"
        return self.pick([" UNION ALL ", " UNION "]).join([first, *(f"SELECT {row}" for row in rows[1:])])

    def _row(self, names: list[str], column: str, others: dict[str, str]) -> str:
        """Write the values of a row. `@` is for a table that it may be read from."""
        values = dict(others, updated_at="'t'")
        own = self.pick(["?1"] * 14 + ["?2", "?4", "?", f"'{'other'.ljust(36, '-')}'", "?1 || ''", f"@.{column}"])
        listed = [own if name == column else values[name] for name in names]
        if self._often(12):
            listed[: self.pick([1, 1, 2])] = [self.pick(["(SELECT ?2)", "x.*", "@.*"])]
        return ", ".join(listed)
