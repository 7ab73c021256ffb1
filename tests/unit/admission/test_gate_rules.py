"""The gate with rules: a decision, what it reserves, its counters and its record live and die together."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lib.admission.decision import Ask, Refusal, Reservation
from lib.admission.gate import REMEMBERED_MS, Gate
from tests.unit.admission.sqlite_sql import SqliteSql

ORG = {"type": "org", "id": "o", "model": None}
BUDGET = {"id": "b", "scope": ORG, "window": "total", "limit": 40, "mode": "hard"}
AT_ONCE = {"id": "c", "scope": ORG, "unit": "concurrent", "limit": 2, "window_ms": None, "burst": None}
REQUESTS = {"id": "r", "scope": ORG, "unit": "requests", "limit": 100, "window_ms": 60_000, "burst": None}
BOUND, DEADLINE = 15, 1000
ASK: dict[str, Any] = {
    "path": {"org": "o", "key": "k", "model": "m"},
    "estimate": 5,
    "input_tokens": 10,
    "output_tokens": 5,
    "most_output": None,
    "choices": 1,
    "floor": 1,
    "input_price": 1,
    "output_price": 1,
    "call_price": 0,
}


def record(name: str, cause: str, cost: int | None, *, estimated: bool) -> dict[str, object]:
    return {
        "id": name,
        "cause": cause,
        "cost_nano_usd": cost,
        "estimated": estimated,
        "input_tokens": 3,
        "output_tokens": 4,
    }


def opening(name: str, **changes: object) -> list[object]:
    return [name, DEADLINE, record(name, "lost", 3, estimated=True), ASK | changes]


def settling(name: str, cost: int = 7, *, estimated: bool = False) -> list[object]:
    return [name, None, record(name, "finished", cost, estimated=estimated)]


class Subject:
    """A gate with rules, and the ledger that its records make."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.sql, self.now = SqliteSql(), 1
        self.gate = Gate(self.sql)
        self.ledger: dict[str, int] = {}
        self.version = 0
        self.set(*(rules or (BUDGET, AT_ONCE, REQUESTS)))

    def set(self, *rules: dict[str, Any]) -> None:
        limits = [rule for rule in rules if "unit" in rule]
        budgets = [rule for rule in rules if "mode" in rule]
        self.version = self.gate.rules(json.dumps({"time_zone": "UTC", "limits": limits, "budgets": budgets}), self.now)

    def send(self, *rows: list[object], version: int | None = None) -> dict[str, Any]:
        told = self.gate.handle(self.version if version is None else version, json.dumps(rows), self.now)
        assert isinstance(told, str)
        current, answers = json.loads(told)
        assert current == self.version
        return dict(answers)

    def restart(self) -> None:
        self.gate = Gate(self.sql)

    def expire(self, now: int = DEADLINE) -> None:
        self.now = now
        self.gate.expire(now)

    def deliver(self) -> None:
        self._read()
        self.gate.delivered(self.gate.outbox() or "[]")

    def spent(self) -> int:
        """Return what the budget has counted; the same as what the records say, and after a restart."""
        self._read()
        used = self.gate.counters(self.now)["b"].used
        assert used == sum(self.ledger.values())
        assert Gate(self.sql).counters(self.now) == self.gate.counters(self.now)
        return used

    def _read(self) -> None:
        for entry in json.loads(self.gate.outbox() or "[]"):
            self.ledger[entry["id"]] = entry["cost_nano_usd"]

    @property
    def under_way(self) -> tuple[int, int]:
        counters = self.gate.counters(self.now)
        return counters["b"].reserved, counters["c"].used

    def rows(self) -> list[Any]:
        self.gate.fold()
        return [self.sql.rows(f"SELECT * FROM {table}") for table in ("requests", "reservations", "counts")]


def test_a_decision_is_all_there_after_a_restart() -> None:
    """The reservation, the counters and the record."""
    subject = Subject()
    assert subject.send(opening("a"))["a"][:4] == ["", "", 0, None]
    subject.restart()
    assert subject.under_way == (BOUND, 1)
    assert subject.gate.counters(2)["r"].used == 1
    assert [row[0] for row in subject.sql.rows("SELECT id FROM requests")] == ["a"]


@pytest.mark.parametrize("changes", [{"input_tokens": 41}, {"input_tokens": None}])
def test_a_refused_call_leaves_nothing(changes: dict[str, object]) -> None:
    """Neither a row nor a count."""
    subject = Subject()
    subject.send(opening("a"))
    before, counters = subject.rows(), subject.gate.counters(2)
    code, rule, *_ = subject.send(opening("z", **changes))["z"]
    assert (code, rule) == ("cost_unknown" if changes["input_tokens"] is None else "budget_exceeded", "b")
    assert (subject.rows(), subject.gate.counters(2)) == (before, counters)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_same_opening_twice_gets_the_same_grant(*, restarted: bool) -> None:
    """And is counted once."""
    subject = Subject()
    first = subject.send(opening("a", output_tokens=None, most_output=9))["a"]
    before = subject.rows()
    if restarted:
        subject.restart()
    assert subject.send(opening("a", output_tokens=None, most_output=9))["a"] == first
    assert first[3] == 9
    assert subject.rows() == before


@pytest.mark.parametrize("restarted", [False, True])
def test_a_settlement_counts_once(*, restarted: bool) -> None:
    """However often it comes, in batches of their own."""
    subject = Subject()
    subject.send(opening("a"))
    for _ in range(2):
        if restarted:
            subject.restart()
        subject.send(settling("a"))
        assert subject.spent() == 7
    assert subject.under_way == (0, 0)


@pytest.mark.parametrize("expired", [False, True])
def test_two_settlements_in_one_batch_count_once(*, expired: bool) -> None:
    """A row may come twice: the carrier that took it along seemed to be gone."""
    subject = Subject()
    subject.send(opening("a"))
    if expired:
        subject.expire()
    subject.send(settling("a"), settling("a"))
    assert subject.spent() == 7
    assert subject.under_way == (0, 0)


@pytest.mark.parametrize("end", ["settled", "given up", "delivered"])
def test_an_opening_that_comes_after_the_end_reserves_nothing(end: str) -> None:
    """A slow carrier brings it again; nothing would ever end it."""
    subject = Subject()
    subject.send(opening("a"))
    if end == "given up":
        subject.expire()
    else:
        subject.send(settling("a"))
    if end == "delivered":
        subject.deliver()
    subject.send(opening("a"))
    assert subject.under_way == (0, 0)
    subject.expire(DEADLINE * 2)
    assert subject.spent() == (BOUND if end == "given up" else 7)


def test_what_nobody_settles_is_charged_at_its_bound() -> None:
    """Its place is free again, and of its record only the cost is another."""
    subject = Subject()
    subject.send(opening("a"))
    subject.expire()
    assert json.loads(subject.gate.outbox() or "") == [record("a", "lost", BOUND, estimated=True)]
    assert (subject.spent(), subject.under_way) == (BOUND, (0, 0))


def test_an_unknown_cost_stays_unknown_when_a_call_is_given_up() -> None:
    """None, which is not nought."""
    subject = Subject(BUDGET | {"mode": "soft"})
    row = opening("a", input_price=None, output_price=None)
    row[2] = record("a", "lost", None, estimated=True)
    subject.send(row)
    subject.expire()
    assert json.loads(subject.gate.outbox() or "")[0]["cost_nano_usd"] is None


@pytest.mark.parametrize("delivered", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_settlement_corrects_budget_and_record_once(*, delivered: bool, restarted: bool) -> None:
    """Also where the store has the guess already."""
    subject = Subject()
    subject.send(opening("a"))
    subject.expire()
    if delivered:
        subject.deliver()
    for _ in range(2):
        if restarted:
            subject.restart()
        subject.send(settling("a"))
        assert subject.spent() == 7


@pytest.mark.parametrize("way", ["in time", "late", "after a restart", "late, after a restart"])
@pytest.mark.parametrize(
    ("mode", "estimated", "cost", "charged"),
    [
        ("hard", True, 3, BOUND),
        ("hard", True, 30, BOUND),
        ("hard", True, 0, BOUND),
        ("soft", True, 3, 3),
        ("soft", True, 30, 30),
        ("hard", False, 3, 3),
        ("hard", False, 0, 0),
        ("soft", False, 30, 30),
    ],
)
def test_what_nobody_told_is_charged_at_the_bound_of_a_hard_budget(
    way: str, mode: str, estimated: bool, cost: int, charged: int
) -> None:
    """Less might pass it. A soft budget takes the estimate as it comes; what was told is charged so."""
    subject = Subject(BUDGET | {"mode": mode}, BUDGET | {"id": "b2", "mode": "soft", "limit": 1})
    subject.send(opening("a"))
    subject.set(BUDGET)  # the budget that let it in decides, and not what it has become
    if "late" in way:
        subject.expire()
    if "restart" in way:
        subject.restart()
    subject.send(settling("a", cost, estimated=estimated))
    assert subject.spent() == charged
    assert json.loads(subject.gate.outbox() or "")[0]["cost_nano_usd"] == charged


def test_a_reservation_from_before_an_update_does_not_say_what_let_it_in() -> None:
    """Its estimate is charged as before."""
    held = Reservation.from_json('[1,15,5,[],[["b","o",0]],null]')
    assert (held.bound, held.hard) == (15, False)
    assert Reservation.from_json(replace(held, hard=True).to_json()).hard


def test_a_bound_beyond_what_a_record_holds_does_no_harm() -> None:
    """A soft budget lets it in; it can be given up, and the gate starts again."""
    subject = Subject(BUDGET | {"mode": "soft", "window": "rolling:60"})
    subject.send(opening("a", output_tokens=2**53 - 1, choices=128, output_price=4000))
    subject.restart()
    subject.expire()
    assert json.loads(subject.gate.outbox() or "")[0]["cost_nano_usd"] >= BOUND


def test_an_old_version_opens_nothing_and_settles() -> None:
    """And a row that does not say what it asks for is not opened where there are rules."""
    subject = Subject()
    subject.send(opening("a"))
    assert subject.send(opening("b"), settling("a"), version=0) == {}
    assert subject.send(opening("d")[:3]) == {}
    assert (subject.spent(), subject.under_way) == (7, (0, 0))


def test_a_policy_may_change_under_calls_that_are_open() -> None:
    """What is under way counts on; a rule that is gone is forgotten, and begins anew when it comes back."""
    subject = Subject()
    subject.send(opening("a"), opening("z"))
    subject.send(settling("z"))
    subject.set(BUDGET | {"limit": 22}, AT_ONCE)
    assert subject.under_way == (BOUND, 1)
    assert subject.send(opening("b"))["b"][0] == "budget_exceeded"
    subject.set()
    subject.expire(subject.now)
    assert subject.sql.rows("SELECT * FROM counts") == []
    subject.send(settling("a"))
    subject.gate.fold()
    assert subject.sql.rows("SELECT id FROM reservations WHERE charged IS NULL") == []
    assert subject.gate.counters(2) == {}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_call_that_no_rule_concerned_is_decided_anew_under_others(*, restarted: bool) -> None:
    """Its opening comes again by the new policy. Nobody knows of it after a restart, so nobody does before one."""
    subject = Subject(BUDGET | {"scope": {"type": "key", "id": "other", "model": None}})
    subject.send(opening("a"))
    subject.set(BUDGET)
    if restarted:
        subject.restart()
    subject.send(opening("a"))
    assert subject.gate.counters(1)["b"].reserved == BOUND


@pytest.mark.parametrize("restarted", [False, True])
def test_where_the_last_rule_has_gone_a_restart_changes_no_record(*, restarted: bool) -> None:
    """What was let in under it has ended; from then on, nothing is decided and records are as they come."""
    subject = Subject(BUDGET | {"limit": 100})
    subject.send(opening("a"), opening("b"))
    subject.expire()
    subject.send(opening("c"))
    subject.set()
    subject.send(settling("c"))
    if restarted:
        subject.restart()
    told = subject.gate.handle(subject.version, json.dumps([settling("a", 99, estimated=True)]), DEADLINE)
    costs = {entry["id"]: entry["cost_nano_usd"] for entry in json.loads(subject.gate.outbox() or "[]")}
    assert (told, costs) == (subject.version, {"a": 99, "b": BOUND, "c": 7})


def test_a_settlement_that_comes_again_on_the_way_brings_nothing_back() -> None:
    """The store has its record; a call that no rule concerns is remembered nowhere else."""
    subject = Subject(BUDGET | {"scope": {"type": "key", "id": "other", "model": None}})
    subject.send(opening("a"), settling("a"))
    on_its_way = subject.gate.outbox() or ""
    subject.send(settling("a"))
    subject.gate.delivered(on_its_way)
    assert subject.gate.outbox() is None


def test_without_rules_nothing_is_reserved() -> None:
    """The answer is a plain number."""
    subject = Subject()
    subject.set()
    told = subject.gate.handle(subject.version, json.dumps([opening("a")]), 1)
    assert (told, subject.rows()[1:]) == (subject.version, [[], []])


def test_warnings_and_explanations() -> None:
    """Each part is told once; whoever asks why is not counted."""
    subject = Subject()
    before = subject.rows()
    assert isinstance(subject.gate.explain(Ask.from_json(ASK | {"input_tokens": 99}), 1), Refusal)
    assert subject.gate.explain(Ask.from_json(ASK), 1) is None
    assert subject.rows() == before
    for number, cost in enumerate((10, 10, 12, 1)):
        subject.send(opening(str(number), input_tokens=1, output_tokens=0))
        subject.send(settling(str(number), cost))
    assert subject.gate.warnings == [("b", "o", 50), ("b", "o", 80)]


def test_ended_calls_are_forgotten_after_a_day() -> None:
    """Not before, and not those under way; the alarm goes on working."""
    subject = Subject()
    subject.send(opening("a"))
    assert subject.gate.next_alarm(1) == DEADLINE
    subject.send(settling("a"))
    subject.deliver()
    assert subject.gate.next_alarm(1) is None
    subject.expire(REMEMBERED_MS)
    assert len(subject.sql.rows("SELECT * FROM reservations")) == 1
    subject.expire(REMEMBERED_MS + 1)
    assert subject.sql.rows("SELECT * FROM reservations") == []
    assert subject.spent() == 7


@pytest.mark.parametrize(
    ("scope", "place"),
    [
        ({"type": "org", "id": "o", "model": None}, ["org", "o", None]),
        ({"type": "key", "id": "*", "model": "m"}, ["key", "k", "m"]),
    ],
)
def test_a_limit_of_requests_says_where_it_refuses(scope: dict[str, Any], place: list[str | None]) -> None:
    """So that nobody need ask again before its time is over. Only there is one call like another."""
    subject = Subject(REQUESTS | {"limit": 1, "scope": scope})
    answers = subject.send(opening("a"), opening("b"))
    assert (len(answers["a"]), answers["b"][:2], answers["b"][5:7]) == (
        5,
        ["requests_limit_reached", "r"],
        [place, None],
    )
    assert answers["b"][2] > 0


TOKENS = REQUESTS | {"id": "t", "limit": 17, "unit": "tokens"}


@pytest.mark.parametrize(
    ("rules", "changes", "hoped"),
    [
        ([AT_ONCE | {"limit": 1}], {}, "o"),
        ([AT_ONCE | {"limit": 1, "scope": {"type": "key", "id": "*", "model": None}}], {}, "k"),
        ([TOKENS], {"estimate": 10}, "o"),
        ([TOKENS | {"burst": 17}], {"estimate": 10}, "o"),
        ([TOKENS], {"estimate": 18}, None),  # it is larger than the limit
        ([BUDGET | {"limit": BOUND}], {}, "o"),
        ([BUDGET | {"limit": BOUND, "window": "rolling:60"}], {}, "o"),
        ([BUDGET | {"limit": BOUND}], {"output_tokens": 6}, None),
        ([BUDGET | {"limit": BOUND}], {"output_tokens": None, "floor": 5}, "o"),
        ([BUDGET | {"limit": BOUND}], {"output_tokens": None, "floor": 6}, None),
        ([BUDGET | {"limit": BOUND}], {"input_price": None}, None),
        ([AT_ONCE | {"limit": 1}, REQUESTS | {"limit": 1}], {}, None),  # nor does the other let it in
        ([AT_ONCE | {"limit": 1}, BUDGET | {"limit": 2 * BOUND - 1}], {}, "o"),
        ([AT_ONCE | {"limit": 1}, BUDGET | {"limit": 2 * BOUND - 1}], {"output_tokens": 60}, None),
    ],
)
def test_a_refusal_says_whether_a_settlement_could_let_the_call_in(
    rules: list[dict[str, Any]], changes: dict[str, object], hoped: str | None
) -> None:
    """So that who was answered, and calls again before its settlement has come, waits and is not refused.

    It is so before a restart and after it; once all is settled, nothing is hoped for, and what could pass does.
    """
    subject = Subject(*rules)
    assert subject.send(opening("a", estimate=10))["a"][0] == ""
    assert subject.send(opening("b", **changes))["b"][5:][1] == hoped
    subject.restart()
    refused = subject.send(settling("z"), opening("b", **changes))["b"]
    assert (refused[0] != "", refused[6]) == (True, hoped)
    after = subject.send(settling("a", 0), opening("b", **changes))["b"]
    assert after[0] == "" if hoped else after[5:][1] is None


@pytest.mark.parametrize("dies", [False, True])
def test_a_wider_window_does_not_find_what_had_left_the_narrow_one(dies: bool) -> None:
    """Whether the gate has lived on, or was made anew meanwhile and had it on disk yet."""
    narrow, wide = REQUESTS | {"limit": 1, "window_ms": 1_000}, REQUESTS | {"limit": 1, "window_ms": 3_600_000}
    subject = Subject(narrow)
    assert subject.send(opening("a"))["a"][0] == ""
    subject.gate.fold()
    subject.now += 2_000
    if dies:
        subject.restart()
    else:
        subject.gate.counters(subject.now)
    subject.set(wide)
    assert subject.send(opening("b"))["b"][0] == ""
    assert subject.send(opening("c"))["c"][0] == "requests_limit_reached"
