"""The ordinary caller: one client of the official SDK that asks one thing after another, under each kind of rule.

Each rule is just wide enough for so many calls. None of them is refused, the next one is, and what the rule has counted
is what the records say and what the provider has served.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.sim import SimulatedProvider

# Nothing here asks the store for anything but the rules: the gate decides.
pytestmark = pytest.mark.once

CALLS = 200
ASKED: list[Any] = [{"role": "user", "content": "Say hello."}]

ORG: Json = {"type": "org"}


@dataclass(frozen=True)
class Size:
    """What one call takes when it is let in, and what it has used at its end: tokens, and nano-dollars."""

    estimate: int
    tokens: int
    bound: int
    cost: int


def whole(client: OpenAI, model: str, **fields: Any) -> Json:
    """Ask for a whole answer; return the headers."""
    raw = client.chat.completions.with_raw_response.create(model=model, messages=ASKED, **fields)
    assert raw.parse().choices[0].finish_reason in ("stop", "length")
    return dict(raw.headers)


def stream(client: OpenAI, model: str, **fields: Any) -> Json:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=ASKED, stream=True, **fields)
    chunks = list(raw.parse())
    assert any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
    return dict(raw.headers)


def stream_with_usage(client: OpenAI, model: str, **fields: Any) -> Json:
    return stream(client, model, stream_options={"include_usage": True}, **fields)


Call = Callable[..., Json]
PLENTY, MOST_TOKENS = 2**40, 10**9
NOTHING = Size(0, 0, 0, 0)

# A rule's fields, from what one call takes; what refuses the call that no longer fits; and a model's words.
Rule = Callable[[Size], Json]


def budget(window: str, **fields: object) -> Rule:
    def of(size: Size) -> Json:
        return {"scope": ORG, "window": window, "limit_nano_usd": (CALLS - 1) * size.cost + size.bound} | fields

    return of


def tokens(**fields: object) -> Rule:
    def of(size: Size) -> Json:
        return {"scope": ORG, "unit": "tokens", "limit": (CALLS - 1) * size.tokens + size.estimate} | fields

    return of


def requests(_: Size) -> Json:
    return {"scope": ORG, "unit": "requests", "limit": CALLS, "window_seconds": 86_400}


def at_once(_: Size) -> Json:
    return {"scope": ORG, "unit": "concurrent", "limit": 1}


FOLLOWS = {"user": "someone"}
CASES: dict[str, tuple[Rule, Call, Json, str, str | None]] = {
    "one at once, whole": (at_once, whole, {}, "", None),
    "one at once, stream": (at_once, stream, {}, "gap2", None),
    "one at once, stream with usage": (at_once, stream_with_usage, {}, "gap2", None),
    "one at once of each end user": (
        lambda _: at_once(_) | {"scope": {"type": "end_user", "id": "*"}}, whole, FOLLOWS, "", None,
    ),
    "requests": (requests, whole, {}, "", "requests_limit_reached"),
    "tokens, whole": (tokens(window_seconds=86_400), whole, {"max_tokens": 40}, "", "tokens_limit_reached"),
    "tokens, stream": (tokens(window_seconds=86_400), stream, {"max_tokens": 40}, "", "tokens_limit_reached"),
    "budget, whole": (budget("total"), whole, {"max_tokens": 40}, "", "budget_exceeded"),
    "budget, stream": (budget("total"), stream, {"max_tokens": 40}, "", "budget_exceeded"),
    "budget, stream with usage": (budget("total"), stream_with_usage, {"max_tokens": 40}, "", "budget_exceeded"),
    "budget, no maximum": (budget("total"), whole, {}, "", "budget_exceeded"),
    "budget of a month, each key": (
        budget("month", scope={"type": "key", "id": "*"}), whole, {"max_tokens": 40}, "", "budget_exceeded",
    ),
    "rolling budget": (budget("rolling:86400"), whole, {"max_tokens": 40}, "", "budget_exceeded"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_call_that_fits_is_let_in_and_no_other(own_headgate: Headgate, sim: SimulatedProvider, case: str) -> None:
    """200 calls, each as soon as the one before it is answered."""
    rule, call, fields, words, refused_with = CASES[case]
    model = sim_model(f"chunks4-{words}" if words else "chunks4")
    client = own_headgate.openai()
    size = _size(own_headgate, client, stream if call is whole else call, model, fields)
    path = "budgets" if "window" in rule(size) else "limits"
    made = own_headgate.post(f"/api/v1/{path}", rule(size))
    assert made.status_code == 201, made.text
    address = f"/api/v1/{path}/{made.json()['data']['id']}"

    month = datetime.now(UTC).month
    for number in range(CALLS):
        try:
            call(client, model, **fields)
        except openai.APIStatusError as refused:
            pytest.fail(f"call {number} of {CALLS} was refused: {refused}")
    if refused_with and month == datetime.now(UTC).month:
        with pytest.raises(openai.APIStatusError) as refusal:
            call(client, model, **fields)
        assert refusal.value.code == refused_with

    records = own_headgate.records_when(CALLS + 1, model=model)  # and the one that was measured
    assert [record for record in records if record["estimated"]] == []
    served = sim.of(model)
    assert served["completed"] == len(records)
    assert served["completion_tokens"] == sum(record["output_tokens"] for record in records)
    if path == "budgets" and "*" not in str(rule(size)):
        until(lambda: own_headgate.get(address).json()["data"]["reserved_nano_usd"] == 0, "all calls to be settled")
        spent = own_headgate.get(address).json()["data"]["spent_nano_usd"]
        assert spent == sum(record["cost_nano_usd"] for record in records) - size.cost


def test_eight_workers_fit_through_eight_places(own_headgate: Headgate) -> None:
    """Each asks one thing after another: there are never more than eight calls."""
    model = sim_model("chunks4-gap2")
    assert own_headgate.post("/api/v1/limits", at_once(NOTHING) | {"limit": 8}).status_code == 201

    def works(number: int) -> None:
        client = own_headgate.openai()
        for _ in range(CALLS // 8):
            (stream if number % 2 else whole)(client, model)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(works, range(8)))


def _size(headgate: Headgate, client: OpenAI, call: Call, model: str, fields: Json) -> Size:
    """Measure a streamed call under rules that let everything in: its headers tell what is left at its admission."""
    rules = [
        ("limits", {"scope": ORG, "unit": "tokens", "limit": MOST_TOKENS, "window_seconds": 60}),
        ("budgets", {"scope": ORG, "window": "total", "limit_nano_usd": PLENTY}),
    ]
    made = [(path, headgate.post(f"/api/v1/{path}", fields_).json()["data"]["id"]) for path, fields_ in rules]
    headers = call(client, model, **fields)
    [record] = headgate.records_when(1, model=model)
    for path, rule_id in made:
        assert headgate.delete(f"/api/v1/{path}/{rule_id}").status_code == 204
    return Size(
        estimate=MOST_TOKENS - int(headers["x-ratelimit-remaining-tokens"]),
        tokens=record["input_tokens"] + record["output_tokens"],
        bound=PLENTY - int(headers["x-headgate-budget-remaining"]),
        cost=record["cost_nano_usd"],
    )
