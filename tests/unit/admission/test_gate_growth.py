"""What a gate does for a call, a change of the rules and an alarm is the same however many end users it counts."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from lib.admission import gate_disk, gate_sql
from lib.admission.gate import REMEMBERED_MS, Gate
from lib.admission.windows import day_of, window_of
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.admission.test_gate_rules import ASK, BOUND, BUDGET, DEADLINE, REQUESTS, record

NOW = 1_798_750_800_000
EACH = {"type": "end_user", "id": "*", "model": None}
START, END = window_of("month", "UTC", NOW)
# What is kept of one end user, by the rule's window.
SPAN = (END - START) * 2**22 + day_of("UTC", END)
KEPT = {"total": {0: 5}, "month": {START: 5, -START: SPAN}, "rolling:86400": {NOW + 86_399: 5}}


class Counted(SqliteSql):
    """Counts the rows that are read."""

    read = 0

    def run(self, sql: str, *values: str | int) -> list[list[Any]]:
        found = super().run(sql, *values)
        self.read += len(found)
        return found


class Grown:
    """A gate that is made anew, and has so many end users under one budget."""

    def __init__(self, users: int, window: str = "total", most: int = 10_000) -> None:
        self.sql, self.most, self.now = Counted(), most, NOW
        self.rule = BUDGET | {"scope": EACH, "window": window, "limit": 100}
        self.gate = Gate(self.sql)
        self.version = self.set(self.rule)
        rows = [("b", f"u{user:06}", slot, kept) for user in range(users) for slot, kept in KEPT[window].items()]
        self.sql.connection.executemany("INSERT INTO counts VALUES (?, ?, ?, ?)", rows)
        self.restart()

    def restart(self) -> None:
        self.gate = Gate(self.sql, most=self.most)

    def set(self, *rules: dict[str, Any]) -> int:
        limits, budgets = [rule for rule in rules if "unit" in rule], [rule for rule in rules if "mode" in rule]
        return self.gate.rules(json.dumps({"time_zone": "UTC", "limits": limits, "budgets": budgets}), self.now)

    def call(self, name: str, user: int, *, settled: bool = False) -> str:
        """Ask for a call of an end user; return why it is refused."""
        ask = ASK | {"path": {"org": "o", "key": "k", "model": "m", "end_user": f"u{user:06}"}}
        rows: list[Any] = [[name, self.now + DEADLINE, record(name, "lost", 3, estimated=True), ask]]
        rows += [[name, None, record(name, "finished", 10, estimated=False)]] if settled else []
        told: dict[str, list[str]] = json.loads(str(self.gate.handle(self.version, json.dumps(rows), self.now)))[1]
        return told[name][0]

    def alarm(self, later: int = 0) -> None:
        self.now += later
        self.gate.expire(self.now)

    def costs(self) -> list[int]:
        """Return how many rows are read by a new gate, a call, an alarm, and changes of the rules."""
        acts: list[Callable[[], object]] = [
            self.restart,
            lambda: self.call("a", 7),
            self.alarm,
            lambda: self.set(self.rule | {"limit": 90}),
            lambda: self.set(self.rule, REQUESTS | {"scope": EACH}),
            lambda: self.call("b", 8),
            lambda: self.gate.counters(self.now),
        ]
        found = []
        for act in acts:
            before = self.sql.read
            act()
            found.append(self.sql.read - before)
        return found


@pytest.mark.parametrize("window", KEPT)
def test_100_000_end_users_cost_what_1_000_do(window: str) -> None:
    """In rows that are read, which cost money; and memory."""
    few, many = Grown(1_000, window), Grown(100_000, window)
    assert many.costs() == few.costs()
    assert max(few.costs()) <= gate_disk.SWEEP_LEAST + 20
    tracemalloc.start()
    many.restart()
    many.costs()
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_only_so_many_counters_stay_in_memory() -> None:
    """Those that have not changed for long go one by one; a budget that is never over is right all the same."""
    grown = Grown(0, most=50)
    for number in range(400):
        assert grown.call(f"c{number:03}", number % 200, settled=True) == ""
        grown.gate.fold()
        assert len(grown.gate._book.shelf._sizes) <= 51
    for user in range(200):
        assert [grown.call(f"{user}-{n}", user) for n in range(6)].count("") == (100 - 2 * 10) // BOUND
    assert len(grown.gate._book.shelf._sizes) >= 200


@pytest.mark.parametrize("window", KEPT)
def test_accounts_come_page_by_page(window: str) -> None:
    """All of them, once and in order: on disk, in memory, or only reserved yet. A page reads its own rows alone."""
    grown = Grown(3_000, window, most=50)
    for number in range(0, 4_000, 500):
        grown.call(f"c{number}", number, settled=number % 1_000 == 0)
    found: list[tuple[str, int, int]] = []
    more = True
    while more:
        before = grown.sql.read
        page = grown.gate.accounts("b", found[-1][0] if found else "", 250, grown.now)
        assert page is not None
        assert grown.sql.read - before <= gate_disk.PAGE_SLOTS + 2 * 250 + 10
        found, more = found + page[1], page[3]
    users = [f"u{user:06}" for user in sorted({*range(3_000), 3_000, 3_500})]
    assert [who for who, _, _ in found] == users
    asked = {f"u{number:06}": number % 1_000 == 0 for number in range(0, 4_000, 500)}
    for who, used, reserved in found:
        assert used == (5 if who < "u003000" else 0) + 10 * asked.get(who, False)
        assert reserved == (BOUND if asked.get(who) is False else 0)


def test_what_is_over_goes_in_portions() -> None:
    """Counts of windows that are over, and of rules that are gone: more of them than come, and few at once."""
    grown = Grown(5_000, "rolling:86400")
    grown.sql.connection.execute("INSERT INTO counts SELECT 'gone', subject, slot, amount FROM counts LIMIT 2000")
    grown.now += 200_000_000
    for number in range(900):
        grown.call(f"c{number:03}", number, settled=True)
        if number % 10 == 9:
            before = grown.sql.read
            grown.alarm(500)
            assert grown.sql.read - before <= gate_disk.SWEEP_MOST + 2 * gate_sql.OLDEST_ROWS + 10
    while grown.sql.rows(f"SELECT 1 FROM counts WHERE slot < {NOW + 90_000_000}"):
        grown.restart()
        grown.alarm(500)
    assert len(grown.sql.rows("SELECT * FROM counts")) <= 900


def test_a_rule_that_comes_back_begins_anew() -> None:
    """Though what it has counted is not swept yet."""
    grown = Grown(3)
    assert grown.set() == grown.version
    grown.version = grown.set(grown.rule)
    assert grown.gate.accounts("b", "", 9, NOW) == (0, [], False, False)


def test_calls_that_ended_long_ago_go_in_portions() -> None:
    """The alarm looks at the oldest, and not at all of a day."""
    grown = Grown(1)
    held = json.dumps([NOW, BOUND, 5, [], [["b", "u", 0]], None, 1])
    rows = [(f"r{number:06}", held, 5, 1, NOW + REMEMBERED_MS + number) for number in range(5_000)]
    grown.sql.connection.executemany("INSERT INTO reservations VALUES (?, ?, ?, ?, ?)", rows)
    grown.alarm()
    before = grown.sql.read
    grown.alarm()
    assert grown.sql.read - before <= gate_sql.OLDEST_ROWS + 5
    grown.alarm(REMEMBERED_MS + 2_500)
    assert len(grown.sql.rows("SELECT 1 FROM reservations")) == 3_000
    grown.alarm()
    assert len(grown.sql.rows("SELECT 1 FROM reservations")) == 2_499


STATEMENTS = {
    name: text
    for name, text in vars(gate_sql).items()
    if isinstance(text, str) and name[0] != "_" and text.split(" ")[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")
}
TABLES = ("requests", "reservations", "counts")
# They go through the journal, or from the oldest call that the store has not got.
IN_ORDER = {"SETTLED", "ANY_SETTLED"}


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - IN_ORDER))
def test_no_statement_reads_a_whole_table(name: str) -> None:
    """Of those that grow with an organisation. Each row that is read is paid for."""
    sql, text = SqliteSql(), STATEMENTS[name]
    gate_sql.prepare(sql)
    numbered = [number for number in range(1, 5) if f"?{number}" in text]
    values = ["1"] * (len(numbered) or text.count("?"))
    plan = [row[3] for row in sql.connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    assert not [step for step in plan for table in TABLES if step.startswith(f"SCAN {table}")]
