"""What an isolate and a gate say to each other, while releases before and behind this one run too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lib.admission import protocol
from lib.admission.counters import Counted, Counter, Place, Remembered, Spent
from lib.admission.decision import Ask, Refusal
from lib.admission.gate import Gate
from lib.admission.home_gate import HomeGate
from lib.admission.protocol import NO_VERSION, VERSION, Answer, BatchAnswer, Exchanged
from lib.admission.regional_gate import RegionalGate
from lib.gateway.call.admitting import RequestsRefused, admitted
from lib.kernel.errors import PaymentRequired, TooManyRequests
from lib.ledger.usage_record import UsageRecord
from tests.unit.admission.sqlite_sql import SqliteSql

NOW = 1_798_750_800_000
ORG = {"type": "org", "id": "o", "model": None}
BUDGET = {"id": "bud", "name": "Ours", "scope": ORG, "window": "total", "limit": 200, "mode": "hard"}
ASK = Ask({"org": "o", "key": "k", "model": "m"}, 20, 30, None, 64, 1, 1, 1, 2, 0)
WIRES = {int(file.stem[5:]): json.loads(file.read_text()) for file in Path(__file__).parent.glob("wire_*.json")}


def record(call_id: str, cause: str = "lost", cost: int = 40) -> UsageRecord:
    facts: dict[str, Any] = dict.fromkeys(("status", "first_byte_ms"))
    facts |= dict.fromkeys(("cached_input_tokens", "reasoning_tokens"), 0)
    return UsageRecord(
        id=call_id, org_id="o", key_id="k", endpoint="chat.completions", model="m", provider="p", upstream_model="u",
        streamed=False, cause=cause, estimated=cause == "lost", input_tokens=9, output_tokens=4, cost_nano_usd=cost,
        price_version="v", duration_ms=5, started_at="2026-12-31T21:00:00.000Z", end_user="é", **facts,
    )  # fmt: skip


def opening(call_id: str, ask: Ask | None = ASK) -> str:
    return protocol.opening(record(call_id), NOW + 600_000, ask)


SETTLEMENT = protocol.settlement(record("a", "finished", 7))


def limit(unit: str, most: int) -> dict[str, Any]:
    window = None if unit == "concurrent" else 60_000
    return {"id": unit, "scope": ORG, "unit": unit, "limit": most, "window_ms": window, "burst": None}


def gate(*limits: Mapping[str, Any], budget: int = 0, kind: type[Gate] = Gate, **more: object) -> Gate:
    budgets = [BUDGET | {"limit": budget}] if budget else []
    subject = kind(SqliteSql())
    subject.rules(json.dumps({"time_zone": "UTC", "limits": limits, "budgets": budgets} | more), NOW)
    return subject


def told(subject: Gate, *rows: str, version: int | None = None) -> str:
    """Return what a gate answers to the last of these rows, each in a call of its own."""
    answers = [subject.handle(version or subject.version, protocol.batch([row]), NOW) for row in rows]
    return str(answers[-1])


def trade(region: RegionalGate, home: HomeGate, *more: str) -> None:
    """Exchange once; each says as much `more` as a later release may."""

    def said(entries: list[list[Any]]) -> list[list[Any]]:
        return [[*entry, *more] for entry in entries]

    number, reports, wishes = json.loads(region.message(NOW))
    message = json.dumps([number, said(reports), said(wishes), *more])
    answer = protocol.exchanged_of(home.exchange("eeur", message, region.region.edition, NOW))
    grants = json.dumps(said(json.loads(answer.answer)))
    region.hear(protocol.exchanged_text(answer._replace(answer=grants)), NOW, NOW)


def written() -> dict[str, str]:
    """Return a message of each kind as this release writes it."""
    used = gate(limit("tokens", 500), budget=200)
    let_in = told(used, opening("a"))
    told(used, SETTLEMENT)
    home, region = gate(budget=200, kind=HomeGate, admission="leased"), RegionalGate(SqliteSql())
    assert isinstance(home, HomeGate)
    exchanged = home.exchange("weur", json.dumps([1, [], [["bud", "o", 50]]]), 0, NOW)
    trade(region, home)
    told(region, opening("a"))
    trade(region, home)
    told(region, opening("b"))
    return {
        "open": opening("a"),
        "open, no rules": opening("a", None),
        "settle": SETTLEMENT,
        "let in": let_in,
        "a limit of requests": told(gate(limit("requests", 1)), opening("a"), opening("b")),
        "what could pass": told(gate(limit("concurrent", 1)), opening("a"), opening("b")),
        "a budget": told(gate(budget=20), opening("a")),
        "a stale caller": told(gate(limit("requests", 1)), opening("a"), version=7),
        "leased": protocol.as_leased(let_in),
        "leased, no rules": protocol.as_leased(3),
        "counters": protocol.counters_text(used.counters(NOW)),
        "accounts": protocol.counted_text(NOW, used.accounts("bud", "", 9, NOW)),
        "no such budget": protocol.counted_text(NOW, None),
        "places": json.dumps(used.places('["a"]')),
        "remembered": json.dumps(used.remembered("", 9)),
        "exchange": exchanged,
        "what is spent and wished": region.message(NOW),
        "what would refuse": protocol.refusal_text(gate(budget=20).explain(ASK, NOW)),
        "what would not": protocol.refusal_text(None),
    }


def test_what_is_written_is_what_the_version_says() -> None:
    """Whoever changes it raises the version, keeps what was recorded, and records it anew beside that."""
    parsed = {name: json.loads(text) for name, text in written().items()}  # the order of names says nothing
    assert parsed == {name: json.loads(text) for name, text in WIRES[VERSION].items()}


def answer(name: str) -> Callable[[str], Any]:
    return lambda text: (protocol.told_of(text), protocol.told_of(text).answer(name))


IN = Answer("", "", 0, 64, [{"tokens": [500, 480, 60_000, 60_059]}, 42])  # type: ignore[arg-type] # as JSON has it
AT = {"a": list(IN[:5])}
MEANT: dict[str, tuple[Callable[[str], Any], Any]] = {
    "let in": (answer("a"), (BatchAnswer(2, AT), IN)),
    "leased": (answer("a"), (BatchAnswer(2, AT, leased=True), IN)),
    "leased, no rules": (answer("a"), (BatchAnswer(3, leased=True), None)),
    "a stale caller": (answer("a"), (BatchAnswer(2), None)),
    "counters": (protocol.counters_of, {"tokens": Counter(13, 0, None), "bud": Counter(7, 0, None)}),
    "accounts": (protocol.counted_of, Counted(NOW, 0, [Spent("o", 7, 0)], mixed=False, more=False)),
    "no such budget": (protocol.counted_of, None),
    "places": (protocol.places_of, {"a": [Place("bud", "o", 0)]}),
    "remembered": (protocol.remembered_of, [Remembered("a", NOW, 7, [("bud", "o")])]),
    "what would refuse": (protocol.refusal_of, Refusal("budget_exceeded", "bud", -1, "Ours", 30, 20, 20)),
    "what would not": (protocol.refusal_of, None),
    "exchange": (lambda text: protocol.exchanged_of(text)[:3], (2, 1, True)),
}


@pytest.mark.parametrize("version", WIRES)
@pytest.mark.parametrize("name", MEANT)
def test_an_isolate_reads_a_gate_of_each_version(version: int, name: str) -> None:
    """And one region's gate its home."""
    read, meant = MEANT[name]
    assert read(WIRES[version][name]) == meant


@pytest.mark.parametrize("version", WIRES)
@pytest.mark.parametrize(("name", "settles"), [("open", False), ("open, no rules", False), ("settle", True)])
def test_a_gate_reads_an_isolate_of_each_version(version: int, name: str, *, settles: bool) -> None:
    """The row, and one that a later release has said more in, count the same."""
    parts = json.loads(WIRES[version][name])
    if len(parts) == 4:
        parts[3]["later"] = 1
        parts.append("later")
    for row in (WIRES[version][name], json.dumps(parts)):
        subject = gate(limit("concurrent", 9), budget=200)
        if settles:
            told(subject, opening("a"))
        told(subject, row, version=NO_VERSION if settles else None)
        used = (7, 0) if settles else (0, 30 + 64 * 2) if "no rules" not in name else (0, 0)
        counter = subject.counters(NOW).get("bud", Counter(0, 0, None))
        assert (counter.used, counter.reserved) == used


REFUSALS: list[tuple[str, list[Any], Any, str]] = [
    ("requests_limit_reached", [["key", "k", None]], RequestsRefused, "The limit r is reached, try again in 1 s."),
    ("tokens_limit_reached", [], TooManyRequests, "The limit r is reached, try again in 1 s."),
    ("budget_exceeded", [], PaymentRequired, "The budget r does not cover this call."),
    ("cost_unknown", [], PaymentRequired, "so the budget r refuses it."),
    (
        "cost_unknown",
        [None, None, ["n", 1, 2, 3, None, "later"], "later"],
        PaymentRequired,
        "refuses it: $0.000000002 left.",
    ),
]


@pytest.mark.parametrize(("code", "rest", "refusal", "message"), REFUSALS)
def test_a_refusal_that_tells_less_or_more_is_a_refusal(
    code: str, rest: list[Any], refusal: type[Exception], message: str
) -> None:
    """A gate of an earlier release tells no more than where it holds, and one of a later release more."""
    standing = [{"requests": [10, 3, 60_000, 1_001]}, 0]
    text = json.dumps([3, {"a": [code, "r", 1, None, standing, *rest]}, 0, "later"])
    found = protocol.told_of(text)
    assert not found.leased
    with pytest.raises(refusal) as raised:
        admitted(found.answer("a"))
    assert str(raised.value.message).endswith(message)  # type: ignore[attr-defined]


def test_a_region_and_its_home_read_what_says_more() -> None:
    """They take what they know, and count the same."""
    text = json.dumps([2, 1, True, None, 1, "[]", "later"])
    assert protocol.exchanged_of(text) == Exchanged(2, 1, True, None, 1, "[]")
    counted = []
    for more in ((), ("later",)):
        home, region = gate(budget=900, kind=HomeGate, admission="leased"), RegionalGate(SqliteSql())
        assert isinstance(home, HomeGate)
        for row in (opening("z"), opening("a"), SETTLEMENT):
            trade(region, home, *more)
            told(region, row)
        trade(region, home, *more)
        counted.append((home.counters(NOW)["bud"], region.counters(NOW)["bud"]))
    assert counted[0] == counted[1]
    assert counted[0][0].used == 7
