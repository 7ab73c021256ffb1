"""A history of a gate as JSON: its calls one after another, and its deaths. The test Worker and CPython both use it.

A step is `[name, arguments…]`: a public method of `lib.admission.gate.Gate` with its arguments as plain values, or
`["crash"]`. Every time is in the step, so that the same history has the same answers wherever it is played.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from lib.admission.decision import Ask
from lib.admission.gate import Gate
from lib.admission.gate_sql import Sql
from lib.admission.shelf import MOST_COUNTERS

Step = Sequence[Any]


class Player:
    """A gate over a storage. What it answers is plain: JSON texts are parsed, so that their spelling has no part."""

    def __init__(self, sql: Sql, most: int = MOST_COUNTERS) -> None:
        self._sql = sql
        self._most = most  # counters in memory
        self._crash()

    def play(self, step: Step) -> Any:
        """Make one call, and return what it answers."""
        name, *values = step
        return getattr(self, f"_{name}")(*values)

    def _crash(self) -> None:
        """The object's memory is gone, its storage is not."""
        self.gate = Gate(self._sql, most=self._most)

    def _handle(self, version: int, rows: list[Any], now_ms: int) -> Any:
        told = self.gate.handle(version, json.dumps(rows), now_ms)
        return json.loads(told) if isinstance(told, str) else told

    def _bump(self) -> int:
        return self.gate.bump()

    def _rules(self, policy: dict[str, Any], now_ms: int) -> int:
        return self.gate.rules(json.dumps(policy), now_ms)

    def _rule(self, change: dict[str, Any], now_ms: int) -> int:
        return self.gate.rule(json.dumps(change), now_ms)

    def _counters(self, now_ms: int) -> dict[str, list[int | None]]:
        return {rule: list(astuple(counter)) for rule, counter in sorted(self.gate.counters(now_ms).items())}

    def _accounts(self, rule: str, after: str, most: int, now_ms: int) -> Any:
        """Of a page, what counts, with who it is for: an account that counts nothing may be there or not."""
        page = self.gate.accounts(rule, after, most, now_ms)
        return None if page is None else sorted(list(one) for one in page[1] if any(one[1:]))

    def _explain(self, ask: dict[str, Any], now_ms: int) -> list[Any] | None:
        refusal = self.gate.explain(Ask.from_json(ask), now_ms)
        return None if refusal is None else list(astuple(refusal))

    def _expire(self, now_ms: int) -> None:
        self.gate.expire(now_ms)

    def _outbox(self) -> list[Any]:
        return list(json.loads(self.gate.outbox() or "[]"))

    def _delivered(self, records: list[Any]) -> None:
        self.gate.delivered(json.dumps(records))

    def _reject(self, record: dict[str, Any]) -> None:
        self.gate.reject(json.dumps(record))

    def _next_alarm(self, now_ms: int) -> int | None:
        return self.gate.next_alarm(now_ms)
