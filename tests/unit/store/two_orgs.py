"""A database with two organisations and their people, and what may pass between them: nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.ledger.usage import TOKENS
from lib.store.schema import PERSON_COLUMNS, TENANT_COLUMNS
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


def user(index: int) -> str:
    """Return the id of a person. The first two belong to the own organisation, and the first to no third one."""
    return f"user-{index}".ljust(36, "-")


class Ground:
    """Rows that are one's own, always the same, beside those of others: more of them where `crowded`.

    `columns` name the tables whose rows are one's own where the column is `own`.
    """

    def __init__(self, columns: Mapping[str, str], own: str) -> None:
        self._columns, self._own = columns, own
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(schema())
        self.before: list[str] = []  # of others, when all is made

    def run(self, sql: str, values: Sequence[object]) -> Outcome:
        """Run a statement, look, and undo it. What it is given too many values for is cut off."""
        connection = self._connection
        connection.execute("SAVEPOINT before")
        try:
            rows, error = self._rows(sql, values), None
        except sqlite3.Error as failure:
            rows, error = [], failure
        outcome = Outcome(rows, self._snapshot("="), self.others(), error)
        connection.execute("ROLLBACK TO before")
        connection.execute("RELEASE before")
        return outcome

    def close(self) -> None:
        self._connection.close()

    def others(self) -> list[str]:
        """Return all rows that are not one's own."""
        tables = {*TENANT_COLUMNS, *PERSON_COLUMNS} - self._columns.keys()
        found = [repr(row) for table in sorted(tables) for row in self._connection.execute(f"SELECT * FROM {table}")]
        return [*found, *self._snapshot("<>")]

    def _rows(self, sql: str, values: Sequence[object]) -> list[str]:
        try:
            return sorted(map(repr, self._connection.execute(sql, values)))
        except sqlite3.ProgrammingError as error:
            needed = re.search(r"uses (\d+), and", str(error))
            if needed is None or int(needed[1]) >= len(values):
                raise
            return sorted(map(repr, self._connection.execute(sql, values[: int(needed[1])])))

    def _snapshot(self, sign: str) -> list[str]:
        sql = "SELECT * FROM {} WHERE {} " + sign + " ? ORDER BY 1, 2"
        return [
            repr(row)
            for table, column in self._columns.items()
            for row in self._connection.execute(sql.format(table, column), (self._own,))
        ]

    def _person(self, index: int, number: int) -> None:
        """Make a person, with `number` rows of each kind."""
        own = {"user_id": user(index)}
        email = f"user{index}@x.invalid"
        self._add("users", id=user(index), email=email, name="x")
        for at in range(number):
            name = f"user{index}-{at}"
            made, hashed = {"id": name.ljust(36, "-"), **own}, name.ljust(64, "-")
            self._add("sessions", **made, secret_hash=hashed, seen_at=_T, expires_at=_T)
            self._add("refresh_tokens", **made, family_id="f" * 36, secret_hash=hashed, expires_at=_T)
            self._add("revoked_tokens", **own, jti_hash=hashed, expires_at=_T)
            self._add("mail_tokens", **made, purpose="verify_email", email=email, secret_hash=hashed, expires_at=_T)
            self._add("recovery_codes", **own, code_hash=hashed)
            self._add("logins", **made, secret_hash=hashed, issuer="i", subject=name)
            self._event("person_events", at, **made)

    def _org(self, org: str, name: str, number: int, members: Sequence[int]) -> None:
        """Make an organisation, with `number` rows of each kind."""
        self._add("orgs", id=org, name=name)
        for index in members:
            self._add("memberships", org_id=org, user_id=user(index), role="owner")
        self._add("usage_marks", org_id=org, summed_until="2026-05-04", pruned_until="2026-05-01")
        for index in range(number):
            self._keys(org, name, index)
            self._models(org, name, index, number)
            self._rules(org, name, index, number)
            self._people(org, name, index, members)
            self._usage(org, name, index, number)

    def _keys(self, org: str, name: str, index: int) -> None:
        key = _id(name, "key", index)
        hashed = key.ljust(64, "-")
        self._add("api_keys", id=key, org_id=org, name=name, prefix="p" * 11, secret_hash=hashed, scopes="[]")
        self._add("idempotent_answers", org_id=org, key_hash=hashed, request_hash=hashed, answer=name)

    def _models(self, org: str, name: str, index: int, number: int) -> None:
        price = _id(name, "price", index)
        self._add(
            "model_prices", id=price, org_id=org, input_nano_usd_per_token=index, output_nano_usd_per_token=number
        )
        routed = {"provider": "sim", "upstream_model": name, "price_id": price}
        self._add("models", org_id=org, id=f"m{index}", **routed, version=number)

    def _rules(self, org: str, name: str, index: int, number: int) -> None:
        rule = {"org_id": org, "scope_type": "key", "scope_id": _id(name, "key", index)}
        self._add("limits", id=_id(name, "limit", index), **rule, unit="requests", amount=number, window_seconds=60)
        budget = _id(name, "budget", index)
        self._add("budgets", id=budget, **rule, spend_window="day", limit_nano_usd=number, mode="hard")
        self._add("budget_adjustments", id=budget, org_id=org, budget_id=budget, kind="top_up", amount_nano_usd=number)

    def _usage(self, org: str, name: str, index: int, number: int) -> None:
        key, tokens = _id(name, "key", index), dict.fromkeys(TOKENS, number)
        called = {"endpoint": "e", "model": "m0", "provider": "sim", "upstream_model": name, "streamed": 0}
        ended = {"cause": "finished", "estimated": 0, "duration_ms": 1, "started_at": _T}
        self._add("usage_records", id=_id(name, "record", index), org_id=org, key_id=key, **called, **tokens, **ended)
        summed = {"requests": number, "cost_nano_usd": 0, "estimated_requests": 0, "unpriced_requests": 0}
        self._add("usage_days", org_id=org, day="2026-05-04", model="m0", key_id=key, **tokens, **summed)

    def _people(self, org: str, name: str, index: int, members: Sequence[int]) -> None:
        role, team = _id(name, "role", index), _id(name, "team", index)
        self._add("roles", id=role, org_id=org, name=role, permissions="[]")
        self._add("teams", id=team, org_id=org, name=team)
        self._add("team_members", org_id=org, team_id=team, user_id=user(members[0]))
        self._add(
            "invitations", id=role, org_id=org, email="new@x.invalid", role="viewer", custom_role_id=role,
            secret_hash=role.ljust(64, "-"), expires_at=_T,
        )  # fmt: skip
        self._event("audit_events", index, id=role, org_id=org)

    def _event(self, table: str, index: int, **columns: object) -> None:
        rest = {"action": "a", "actor": "nobody", "result": "ok", "details": "{}"}
        place = {"seq": index + 1, "previous_hash": "0" * 64, "hash": "1" * 64}
        self._add(table, **columns, **rest, **place)
        owner = {name: columns[name] for name in ("org_id", "user_id") if name in columns}
        self._add(table.replace("events", "links"), **owner, **place)

    def _add(self, table: str, **columns: object) -> None:
        columns |= {"created_at": _T, "updated_at": _T}
        places = ", ".join("?" * len(columns))
        self._connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", [*columns.values()])


class TwoOrgs(Ground):
    """An organisation beside others. All that people have is not its own, but for who its members are."""

    def __init__(self, *, crowded: bool) -> None:
        super().__init__(TENANT_COLUMNS, OWN)
        for index in range(4 if crowded else 2):
            self._person(index, 3 if crowded else 1)
        self._org(OWN, "own", 2, [0, 1])
        self._org(OTHER, "theirs", 4 if crowded else 1, [0, 1])
        if crowded:
            self._org(THIRD, "third", 2, [1, 2])
        # Nothing in the schema keeps a row from naming another organisation's.
        self._connection.execute("UPDATE models SET price_id = ? WHERE org_id = ?", (_id("theirs", "price", 0), OWN))
        self.before = self.others()


class TwoPersons(Ground):
    """A person beside others. All that organisations have is not its own, but for where it is a member."""

    def __init__(self, *, crowded: bool) -> None:
        super().__init__(PERSON_COLUMNS, user(0))
        self._person(0, 2)
        for index in range(1, 4 if crowded else 2):
            self._person(index, 4 if crowded else 1)
        self._org(OWN, "own", 3 if crowded else 1, [0, 1])
        self._org(OTHER, "theirs", 1, [0, 2, 3] if crowded else [0, 1])
        if crowded:
            self._org(THIRD, "third", 2, [1, 2])
        self.before = self.others()


def _id(name: str, kind: str, index: int) -> str:
    return f"{name}-{kind}-{index}".ljust(36, "-")
