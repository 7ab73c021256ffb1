"""How a test asks the Database port: calls, their answers as plain values, and failures as the port's own classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lib.store import database
from lib.store.database import Read, Statement, StoreError, Value
from lib.store.dialect import Dialect
from lib.store.tenant import Tenant
from tests.contract.worker.calls import decode, encode

Row = Mapping[str, type]
LIMITS = (10.0, 5.0)


@dataclass(frozen=True)
class Call:
    """One call of the port."""

    op: str
    scope: Tenant
    statements: Sequence[Statement] = ()
    row: Row = field(default_factory=dict)
    read: Read = Read.LATEST
    event: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        identities = (getattr(self.scope, name) for name in self.scope.__slots__)
        return {
            "op": self.op,
            "scope": [type(self.scope).__name__, *identities],
            "statements": [[each.sql, list(map(encode, each.values))] for each in self.statements],
            "row": [[name, kind.__name__] for name, kind in self.row.items()],
            "read": self.read.value,
            "event": self.event,
        }


def query(scope: Tenant, row: Row, sql: str, *values: Value, read: Read = Read.LATEST) -> Call:
    return Call("query", scope, [Statement(sql, values)], row, read)


def execute(scope: Tenant, sql: str, *values: Value) -> Call:
    return Call("execute", scope, [Statement(sql, values)])


def batch(scope: Tenant, *statements: Statement) -> Call:
    return Call("batch", scope, statements)


def audited(
    scope: Tenant, action: str, now: datetime, *statements: Statement, only_if: Statement | None = None
) -> Call:
    """A group with an event of the audit log before it."""
    condition = [only_if.sql, list(only_if.values)] if only_if else None
    return Call("audited", scope, statements, event={"action": action, "now": encode(now), "only_if": condition})


@dataclass(frozen=True)
class Answer:
    """What a request gave: for each call its value, or the error that it raised."""

    outcomes: list[Any]
    queries: int
    milliseconds: float
    connected: bool  # when the last call had returned
    bookmark: str | None


@dataclass(frozen=True)
class Client:
    """Sends requests to one target. `send` takes and returns JSON text."""

    dialect: Dialect
    binding: str
    send: Callable[[str], str]

    def ask(
        self,
        *calls: Call,
        together: bool = False,
        limits: tuple[float, float] = LIMITS,
        bookmark: str | None = None,
    ) -> Answer:
        """Make one request of some calls; a call's failure is among its outcomes."""
        answer = json.loads(self.send(self.text(*calls, together=together, limits=limits, bookmark=bookmark)))
        assert "broke" not in answer, answer["broke"]
        outcomes = [_outcome(call, outcome) for call, outcome in zip(calls, answer.pop("outcomes"), strict=True)]
        return Answer(outcomes, **answer)

    def text(
        self,
        *calls: Call,
        together: bool = False,
        limits: tuple[float, float] = LIMITS,
        bookmark: str | None = None,
    ) -> str:
        """What `ask` sends."""
        asked = {"binding": self.binding, "bookmark": bookmark, "limits": limits, "together": together}
        return json.dumps({**asked, "calls": [call.to_json() for call in calls]})

    def do(self, call: Call, limits: tuple[float, float] = LIMITS) -> Any:
        """Make a request of one call: return its value, or raise."""
        [outcome] = self.ask(call, limits=limits).outcomes
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def query(self, scope: Tenant, row: Row, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.do(query(scope, row, sql, *values))
        return rows

    def execute(self, scope: Tenant, sql: str, *values: Value) -> int:
        return int(self.do(execute(scope, sql, *values)))

    def batch(self, scope: Tenant, *statements: Statement) -> list[int]:
        return list(self.do(batch(scope, *statements)))


def _outcome(call: Call, outcome: Mapping[str, Any]) -> Any:
    if "error" in outcome:
        return getattr(database, outcome["error"])(outcome["message"])
    value = outcome["value"]
    if call.op == "query":
        return [tuple(map(decode, row)) for row in value]
    return tuple(map(decode, value)) if call.op == "one" and value is not None else value
