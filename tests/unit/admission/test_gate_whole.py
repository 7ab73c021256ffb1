"""A gate stays whole: whatever fails or is late, its memory is what the disk says, and it always starts again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from lib.admission import gate, gate_sql, journal
from lib.admission.gate import BatchTooLarge, Gate, GateBroken
from lib.admission.gate_sql import UnknownFormat, WrongName, organisation_of, pieces
from tests.unit.admission.sqlite_sql import Died, SqliteSql
from tests.unit.admission.test_gate_rules import (
    AT_ONCE,
    BOUND,
    BUDGET,
    DEADLINE,
    REQUESTS,
    Subject,
    opening,
    record,
    settling,
)

EACH = {"type": "key", "id": "*", "model": None}
# Eight rules, all of them wide.
RULES = [
    *(BUDGET | {"id": f"b{n}", "window": window, "limit": 2**40} for n, window in enumerate(("total", "month", "day"))),
    BUDGET | {"id": "b", "scope": EACH, "limit": 2**40},
    *(REQUESTS | {"id": f"r{n}", "unit": unit, "limit": 2**40} for n, unit in enumerate(("requests", "tokens"))),
    REQUESTS | {"id": "r", "scope": EACH, "limit": 2**40, "burst": 2**40},
    AT_ONCE | {"limit": 2**40},
]
# Written by the gate of the first release that is known to have been deployed, and what it said of itself when it was
# made anew on that disk.
FIXTURE = json.loads(Path(__file__).with_name("journal_1.json").read_text())


def test_an_alarm_that_is_late_bricks_nothing() -> None:
    """10,000 calls of 8 rules go by without it. The journal is bounded, and all of it is there after a restart."""
    subject = Subject(*RULES)
    for start in range(0, 10_000, 100):
        names = [f"{number:05}" for number in range(start, start + 100)]
        assert {answer[0] for answer in subject.send(*map(opening, names)).values()} == {""}
        subject.send(*map(settling, names[::2]))
        [(rows, size)] = subject.sql.rows("SELECT sum(json_array_length(rows)), sum(length(rows)) FROM journal")
        assert (rows <= journal.MOST_ROWS, size <= journal.MOST_BYTES) == (True, True)
    subject.restart()
    counters = subject.gate.counters(subject.now)
    assert (counters["b0"].used, counters["b0"].reserved, counters["c"].used) == (5_000 * 7, 5_000 * BOUND, 5_000)
    subject.expire()
    told = []
    while records := subject.gate.outbox():
        told += json.loads(records)
        subject.gate.delivered(records)
    assert len(told) == 10_000
    assert sum(one["cost_nano_usd"] for one in told) == subject.gate.counters(DEADLINE)["b0"].used


def test_a_gate_that_an_older_release_left_stuck_starts_again() -> None:
    """Its journal holds far more than a statement takes; and calls were held that nobody had written down."""
    subject = Subject(*RULES)
    for batch in range(7):
        rows = json.dumps([opening(f"{batch}-{number:04}") for number in range(1_700)])
        subject.sql.run("INSERT INTO journal (at_ms, current, rows) VALUES (1, 1, ?)", rows)
    ghost = json.dumps([1, BOUND, 5, [["c", "o"]], [["b0", "o", 0]], None, 1])
    subject.sql.run("INSERT INTO reservations VALUES ('ghost', ?, NULL, 0, ?)", ghost, DEADLINE)
    subject.restart()
    counters = subject.gate.counters(1)
    assert (counters["c"].used, counters["b0"].reserved) == (7 * 1_700, 7 * 1_700 * BOUND)
    assert subject.sql.rows("SELECT count(*) FROM journal") == [(0,)]
    subject.expire()
    for _ in range(7):
        subject.expire(DEADLINE + gate.REMEMBERED_MS)
    assert subject.sql.rows("SELECT count(*) FROM reservations") == [(0,)]


def test_the_journal_of_the_last_release_is_replayed() -> None:
    """To the same counters, records and answers as that release gives itself."""
    sql = SqliteSql()
    for table in FIXTURE["tables"].values():
        sql.run(table["sql"])
    for name, table in FIXTURE["tables"].items():
        for row in table["rows"]:
            sql.connection.execute(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", row)
    restarted, now, told = Gate(sql), FIXTURE["now"], FIXTURE["told"]
    assert restarted.version == told["version"]
    assert {rule: list(astuple(one)) for rule, one in restarted.counters(now).items()} == told["counters"]
    for rule, (begin, accounts, mixed) in told["accounts"].items():
        found = restarted.accounts(rule, "", 99, now)
        assert found is not None
        counting = [list(one) for one in found[1] if any(one[1:])]
        assert (found[0], counting, found[2]) == (begin, [one for one in accounts if any(one[1:])], mixed)
    assert json.loads(restarted.outbox() or "[]") == told["outbox"]
    asked = json.dumps(FIXTURE["asked"])
    assert json.loads(str(restarted.handle(restarted.version, asked, now))) == told["answers"]
    assert restarted.next_alarm(now) == told["next"]


def test_what_a_later_release_has_written_is_not_touched() -> None:
    """Whoever goes back to this release is told; nothing is lost."""
    subject = Subject()
    subject.send(opening("a"))
    subject.sql.run("UPDATE about SET value = ? WHERE name = 'format'", str(gate_sql.FORMAT + 1))
    before = list(subject.sql.connection.iterdump())
    with pytest.raises(UnknownFormat, match=f"{gate_sql.FORMAT + 1}"):
        subject.restart()
    assert list(subject.sql.connection.iterdump()) == before


@pytest.mark.parametrize(
    ("known", "told", "found"),
    [
        (None, "o" * 36, "o" * 36),
        ("o" * 36, "o" * 36, "o" * 36),
        ("o" * 36, None, "o" * 36),  # an alarm of a platform that does not tell it
        ("o" * 36, "p" * 36, None),
        (None, None, None),
        (None, "undefined", None),
    ],
)
def test_a_gate_knows_whose_it_is(known: str | None, told: str | None, found: str | None) -> None:
    """From its first call on. Where that is not sure, nothing of it runs."""
    sql = SqliteSql()
    gate_sql.prepare(sql)
    if known:
        organisation_of(sql, known)
    if found is None:
        with pytest.raises(WrongName):
            organisation_of(sql, told)
    else:
        assert organisation_of(sql, told) == found


@pytest.mark.parametrize("what", ["rows", "characters", "bytes"])
def test_a_batch_that_is_too_large_is_refused_as_a_whole(what: str) -> None:
    """Nothing of it is decided, and the gate goes on."""
    subject = Subject()
    before = subject.rows()
    rows = {
        "rows": [opening(str(number)) for number in range(gate.MOST_ROWS + 1)],
        "characters": [opening("a", path={"key": "k" * gate.MOST_BYTES})],
        "bytes": [opening("a", path={"key": "é" * (gate.MOST_BYTES // 2)})],
    }[what]
    with pytest.raises(BatchTooLarge):
        subject.gate.handle(subject.version, json.dumps(rows, ensure_ascii=False, separators=(",", ":")), 1)
    assert (subject.rows(), subject.under_way) == (before, (0, 0))
    assert subject.send(opening("a"))["a"][0] == ""


@pytest.mark.parametrize("act", ["handle", "fold", "expire", "rules"])
def test_a_gate_whose_storage_fails_says_nothing_more(act: str) -> None:
    """Its memory is ahead of the disk. One that is made anew knows what the disk knows, and is told once."""
    told: list[Exception] = []
    sql = SqliteSql()
    broken = Gate(sql, told.append)
    text = json.dumps({"time_zone": "UTC", "limits": [AT_ONCE], "budgets": [BUDGET]})
    version = broken.rules(text, 1)
    broken.handle(version, json.dumps([opening("a")]), 1)
    acts: dict[str, Callable[[], object]] = {
        "handle": lambda: broken.handle(version, json.dumps([opening("b")]), 1),
        "fold": broken.fold,
        "expire": lambda: broken.expire(DEADLINE),
        "rules": lambda: broken.rules(text, 1),
    }
    sql.dies_after = 0 if act == "handle" else 1
    with pytest.raises(Died):
        acts[act]()
    for again in acts.values():
        with pytest.raises(GateBroken):
            again()
    assert [type(error) for error in told] == [Died]
    assert Gate(sql).counters(1)["b"].reserved == BOUND


def test_pieces_hold_all_in_their_order() -> None:
    """However long some are; one that is too long for a piece comes by itself."""
    items: list[Any] = [*range(450), "x" * 400_000, "y" * 400_000, "z" * 600_000, *range(3)]
    texts = list(pieces(items))
    assert [one for text in texts for one in json.loads(text)] == items
    assert all(len(json.loads(text)) == 1 or len(text) <= gate_sql.PIECE_BYTES for text in texts)
    assert list(pieces([])) == []


def test_an_alarm_may_ring_twice() -> None:
    """The second finds nothing to do."""
    subject = Subject()
    subject.send(opening("a"), [*opening("b")[:2], record("b", "lost", 3, estimated=True), opening("b")[3]])
    subject.expire()
    seen = subject.rows(), subject.gate.counters(DEADLINE)
    subject.expire()
    assert (subject.rows(), subject.gate.counters(DEADLINE)) == seen
