"""A database with two organisations, and what may pass between them: nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from lib.store.schema import TENANT_COLUMNS
from tests.unit.store.sqlite_binding import schema

OWN, OTHER, THIRD = ("own".ljust(36, "-"), "other".ljust(36, "-"), "third".ljust(36, "-"))
_T = "2026-05-04T12:30:15.123456Z"


@dataclass(frozen=True)
class Outcome:
    """What a statement gave back, what it left of the own rows and of all others, and what it failed with."""

    rows: list[str]
    own: list[str]
    others: list[str]
    error: sqlite3.Error | None


class TwoOrgs:
    """Rows of the own organisation, always the same, beside those of others: more of them where `crowded`."""

    def __init__(self, *, crowded: bool) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(schema())
        for index in range(2):
            self._add("users", id=_user(index), email=f"user{index}@x.invalid", name="x")
        self._org(OWN, "own", 2)
        self._org(OTHER, "theirs", 4 if crowded else 1)
        if crowded:
            self._org(THIRD, "third", 2)
        # Nothing in the schema keeps a row from naming another organisation's.
        self._connection.execute("UPDATE models SET price_id = ? WHERE org_id = ?", (_id("theirs", "price", 0), OWN))
        self.before = self._others()

    def run(self, sql: str, values: Sequence[object]) -> Outcome:
        """Run a statement, look, and undo it. What it is given too many values for is cut off."""
        connection = self._connection
        connection.execute("SAVEPOINT before")
        try:
            rows, error = self._rows(sql, values), None
        except sqlite3.Error as failure:
            rows, error = [], failure
        outcome = Outcome(rows, self._snapshot("="), self._others(), error)
        connection.execute("ROLLBACK TO before")
        connection.execute("RELEASE before")
        return outcome

    def close(self) -> None:
        self._connection.close()

    def _rows(self, sql: str, values: Sequence[object]) -> list[str]:
        try:
            return sorted(map(repr, self._connection.execute(sql, values)))
        except sqlite3.ProgrammingError as error:
            needed = re.search(r"uses (\d+), and", str(error))
            if needed is None or int(needed[1]) >= len(values):
                raise
            return sorted(map(repr, self._connection.execute(sql, values[: int(needed[1])])))

    def _others(self) -> list[str]:
        return self._snapshot("<>")

    def _snapshot(self, sign: str) -> list[str]:
        return [
            repr(row)
            for table, column in TENANT_COLUMNS.items()
            for row in self._connection.execute(f"SELECT * FROM {table} WHERE {column} {sign} ? ORDER BY 1, 2", (OWN,))
        ]

    def _org(self, org: str, name: str, number: int) -> None:
        self._add("orgs", id=org, name=name)
        for index in range(number):
            key, price = _id(name, "key", index), _id(name, "price", index)
            if index < 2:
                self._add("memberships", org_id=org, user_id=_user(index), role="owner")
            self._add(
                "api_keys", id=key, org_id=org, name=name, prefix="p" * 11, secret_hash=key.ljust(64, "-"), scopes="[]"
            )
            self._add(
                "model_prices", id=price, org_id=org, input_nano_usd_per_token=index, output_nano_usd_per_token=number
            )
            self._add(
                "models",
                org_id=org,
                id=f"m{index}",
                provider="sim",
                upstream_model=name,
                price_id=price,
                version=number,
            )
            rule = {"org_id": org, "scope_type": "key", "scope_id": key}
            self._add("limits", id=_id(name, "limit", index), **rule, unit="requests", amount=number, window_seconds=60)
            self._add(
                "budgets",
                id=_id(name, "budget", index),
                **rule,
                spend_window="day",
                limit_nano_usd=number,
                mode="hard",
            )
            self._add(
                "idempotent_answers",
                org_id=org,
                key_hash=key.ljust(64, "-"),
                request_hash=key.ljust(64, "-"),
                answer=name,
            )
            self._add(
                "usage_records",
                **dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"), number),
                id=_id(name, "record", index),
                org_id=org,
                key_id=key,
                endpoint="e",
                model="m0",
                provider="sim",
                upstream_model=name,
                streamed=0,
                cause="finished",
                estimated=0,
                duration_ms=1,
                started_at=_T,
            )

    def _add(self, table: str, **columns: object) -> None:
        columns |= {"created_at": _T, "updated_at": _T}
        places = ", ".join("?" * len(columns))
        self._connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", [*columns.values()])


def _user(index: int) -> str:
    return f"user-{index}".ljust(36, "-")


def _id(name: str, kind: str, index: int) -> str:
    return f"{name}-{kind}-{index}".ljust(36, "-")
