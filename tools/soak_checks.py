"""What must be true after a soak: counters, records and the simulated provider's own counts are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lib.reconcile.verification import Entry, expect, reach
from tools.soak_calls import INPUT, TIMEOUT_SECONDS, Json, Outcome, bound_of, kind_of, tokens_cost
from tools.soak_rules import Budget, Rules

# A call that was answered this long before a kill may not be settled yet: SETTLE_WAITS_MS in runtime/objects/gates.py.
SETTLED_SECONDS = 2.0
# Nor may a call of which nobody knows the end, when a kill came within the time that it could last.
LONGEST_SECONDS = TIMEOUT_SECONDS + SETTLED_SECONDS
MOST_SHOWN = 12


@dataclass
class Findings:
    """Money that does not add up, and what else was wrong, each in words."""

    nano_usd: int = 0
    wrong: list[str] = field(default_factory=list)
    wrong_refusals: int = 0

    def add(self, words: str, nano_usd: int = 0) -> None:
        self.nano_usd += abs(nano_usd)
        self.wrong.append(words)

    def refused(self, words: str) -> None:
        """Note a refusal that what is counted does not justify."""
        self.wrong_refusals += 1
        self.add(words)


def check_refusals(outcomes: Iterable[Outcome], large: str, findings: Findings) -> None:
    """Nothing is refused while there is room for it: more than one upper bound, or one more call."""
    for outcome in outcomes:
        code, details = outcome.error.get("code"), outcome.error.get("details") or [{}]
        if code == "budget_exceeded":
            left = int(outcome.headers["x-headgate-budget-remaining"])
            if left > outcome.bound or details[0].get("budget_id") == large:
                findings.refused(f"refused by a budget: {left} left, the call takes {outcome.bound}: {outcome.error}")
        elif code in ("requests_limit_reached", "concurrent_limit_reached"):
            unit = code.partition("_")[0]
            if f'"{unit}";r=0;' not in outcome.headers["ratelimit"]:
                findings.refused(f"refused by a limit of {unit} with room: {outcome.headers['ratelimit']}")
        elif outcome.status in (400, 401, 403, 404):
            findings.add(f"{outcome.status} for {outcome.kind.model}: {outcome.error}")
        elif code == "cost_unknown":
            findings.add(f"no bound for {outcome.kind.model}")


def check_answers(
    outcomes: Iterable[Outcome], records: Mapping[str, Json], kills: list[float], found: Findings
) -> None:
    """Each call that ended in order is on record once, exactly as the provider said; what was refused is not."""
    for outcome in outcomes:
        if outcome.end == "hung":
            found.add(f"{outcome.kind.model}: no end after a minute, {outcome.id} {outcome.status}")
        if outcome.end != "whole" or not outcome.id:
            continue
        record = records.get(outcome.id)
        if outcome.error and not outcome.headers.get("content-type", "").startswith("application/json"):
            found.add(f"{outcome.status} is no JSON")
        if outcome.status in (402, 429):
            if record is not None:
                found.add(f"{outcome.id}: refused with {outcome.status}, but on record", record["cost_nano_usd"])
            continue
        if outcome.status == 200:
            _check_answered(outcome, record, kills, found)


def _check_answered(outcome: Outcome, record: Json | None, kills: list[float], found: Findings) -> None:
    cost = outcome.provider_cost
    if record is None:
        found.add(f"{outcome.id}: answered, but not on record ({outcome.kind.model})", cost or outcome.bound)
    elif record["cause"] == "lost":
        if not any(0 <= kill - outcome.ended + 0.1 <= SETTLED_SECONDS for kill in kills):
            ago = min((kill - outcome.ended for kill in kills if kill > outcome.ended - 0.1), default=None)
            found.add(f"{outcome.id}: lost without a kill ({outcome.kind.model}, next kill in {ago} s)", outcome.bound)
    elif cost is not None and (record["cost_nano_usd"] != cost or record["estimated"]):
        difference = (record["cost_nano_usd"] or 0) - cost
        found.add(f"{outcome.id}: {cost} by the provider, on record {record}", difference or 1)


def check_lost(
    records: Iterable[Json], kills_ms: list[float], outcomes: Iterable[Outcome], kills: list[float], found: Findings
) -> None:
    """Only a kill loses a call: all others are settled, whatever becomes of their clients."""
    torn = {call.id for call in outcomes if call.end == "broken" and any(abs(kill - call.ended) < 1 for kill in kills)}
    for record in records:
        began = _ms(record["started_at"])
        if record["cause"] != "lost" or record["id"] in torn:
            continue
        if not any(-100 <= kill - began <= LONGEST_SECONDS * 1000 for kill in kills_ms):
            found.add(f"{record['id']}: lost without a kill: {record['model']}, {record['started_at']}")


def check_bounds(rules: Rules, records: Iterable[Json], found: Findings) -> None:
    """No call costs more than the bound that was set aside for it."""
    for record in records:
        cost, bound = record["cost_nano_usd"], bound_of(kind_of(record["model"], rules.tags.values()))
        if cost is None or cost > bound:
            found.add(f"{record['id']}: costs {cost}, its bound is {bound}", cost or 1)


def check_budgets(rules: Rules, records: Iterable[Json], now_ms: int, found: Findings) -> int:
    """Each counter is the sum of the records that it covers. Returns by how much the records pass the budgets."""
    overshoot = 0
    for budget in rules.budgets.values():
        covered = [record for record in records if budget.covers(record)]
        # All calls are made in one window, after the budgets are; no time passes between counters and records.
        entries = map(_entry, covered)
        least, most = expect(reach(budget.window, 0, 0, now_ms, slack_ms=0, bounded=True), entries, lambda _: None)
        if not budget.window.startswith("rolling"):
            overshoot += max(0, most - budget.limit)
        difference = max(least - budget.spent, budget.spent - most, 0)
        if difference:
            lost = sum(1 for record in covered if record["cause"] == "lost")
            found.add(f"{_name(budget)}: spent {budget.spent}, records {least} to {most} ({lost} lost)", difference)
    return overshoot


def _entry(record: Json) -> Entry:
    lost, began = record["cause"] == "lost", _ms(record["started_at"])
    return Entry(record["id"], "", record["cost_nano_usd"], began, record["duration_ms"], lost=lost)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _name(budget: Budget) -> str:
    return f"budget {budget.id} ({budget.scope['type']}, {budget.window}, {budget.limit})"


def check_provider(records: Iterable[Json], by_model: Mapping[str, Json], found: Findings) -> None:
    """The ledger is what the provider served: see docs/soak.md for the rule."""
    models: dict[str, list[Json]] = {}
    for record in records:
        models.setdefault(record["upstream_model"], []).append(record)
    for model in sorted({*models, *by_model}):
        _check_model(model, models.get(model, []), by_model.get(model, {}), found)


def _check_model(model: str, records: list[Json], served: Json, found: Findings) -> None:
    cost = tokens_cost(served)
    exact = [record for record in records if not record["estimated"] and record["cost_nano_usd"]]
    told = sum(record["cost_nano_usd"] for record in exact)
    charged = sum(record["cost_nano_usd"] for record in records)  # a hard budget covers every call
    if not told <= cost <= charged:
        words = f"{len(exact)} exact records say {told}, all {len(records)} say {charged}"
        found.add(f"{model}: the provider served {cost}; {words}", max(told - cost, cost - charged))
    requests = served.get("requests", 0)
    if not len(exact) <= requests <= len(records):
        found.add(f"{model}: the provider saw {requests} requests, on record are {len(records)}", INPUT)
