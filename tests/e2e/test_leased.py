"""Organisations whose regions decide: no cap is passed, nobody is refused wrongly, and who is revoked is refused."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.poll import until
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import gates
from tests.e2e.test_budgets_hold import budget, recorded, settled, state
from tools.stack import Stack

# The platform says where a request comes from. Here nobody does, and Miniflare takes this header's word.
PLACES = [
    {"MF-CF-Blob": json.dumps({"continent": "EU", "country": "DE", "longitude": "8.7"})},
    {"MF-CF-Blob": json.dumps({"continent": "NA", "country": "US", "longitude": "-77.5"})},
]


def admission(headgate: Headgate, wanted: str) -> None:
    answer = headgate.call("PATCH", "/api/v1/orgs/current", json={"admission": wanted}, headers={"if-match": "*"})
    assert (answer.status_code, answer.json()["data"]["admission"]) == (200, wanted), answer.text


def ask(headgate: Headgate, place: int) -> httpx.Response:
    return headgate.call(
        "POST", "/v1/chat/completions", json=chat_body("sim/chat", max_tokens=12), headers=PLACES[place]
    )


def call(headgate: Headgate, place: int) -> int:
    return ask(headgate, place).status_code


@pytest.fixture
def leased(own_headgate: Headgate) -> Headgate:
    admission(own_headgate, "leased")
    return own_headgate


def warm(headgate: Headgate) -> None:
    """Call until both regions hold leases."""
    for _ in range(3):
        assert {call(headgate, place) for place in (0, 1)} == {200}
        time.sleep(0.3)


def test_one_call_after_another_is_never_refused_wrongly(leased: Headgate, stack: Stack) -> None:
    """To the last that the budget covers, whatever region it comes from. Each region has a gate of its own."""
    most = 60_000
    budget_id, before = budget(leased, most), gates(stack)
    warm(leased)
    assert len(gates(stack) - before) == 2
    answers = [ask(leased, 0)]
    while answers[-1].status_code == 200:
        answers.append(ask(leased, len(answers) % 2))
    assert answers[-1].status_code == 402
    shown = settled(leased, budget_id)
    assert shown["spent_nano_usd"] == recorded(leased) <= most
    assert most - shown["spent_nano_usd"] < answers[-1].json()["error"]["details"][0]["needs_nano_usd"]


def test_a_flood_over_two_regions_passes_no_cap(leased: Headgate) -> None:
    most = 100_000
    budget_id = budget(leased, most)
    limit = leased.post(
        "/api/v1/limits", {"scope": {"type": "org"}, "unit": "requests", "limit": 70, "window_seconds": 600}
    )
    assert limit.status_code == 201, limit.text
    warm(leased)
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda number: call(leased, number % 2), range(120)))
    assert set(statuses) <= {200, 402, 429}
    shown = settled(leased, budget_id)
    assert 0 < shown["spent_nano_usd"] == recorded(leased) <= most
    assert statuses.count(200) + 6 <= 70


def test_who_is_revoked_is_refused_in_every_region(leased: Headgate) -> None:
    """From the answer to the revocation on; and who has a new key is served."""
    budget(leased, 10_000_000)
    made = leased.new_key()
    theirs = leased.as_key(made.secret)
    warm(theirs)
    assert leased.call("DELETE", f"/api/v1/keys/{made.id}", headers={"if-match": "*"}).status_code == 204
    assert {call(theirs, place) for place in (0, 1)} == {401}
    assert {call(leased, place) for place in (0, 1)} == {200}


def test_switched_off_and_on_again(leased: Headgate) -> None:
    """Each time all that regions hold comes back, and the counter is what the records say."""
    budget_id = budget(leased, 1_000_000)
    for wanted in ("exact", "leased"):
        warm(leased)
        admission(leased, wanted)
        assert {call(leased, place) for place in (0, 1)} == {200}
        until(lambda: settled(leased, budget_id)["spent_nano_usd"] == recorded(leased), "all to be told")


def test_a_crash_loses_neither_a_lease_nor_a_call(stacks: Stacks) -> None:
    """All gates are killed while a region holds a lease. Then all that the budget covers can be spent, and no more."""
    most = 150_000
    with stacks.new("mortal-leases") as mortal, httpx.Client(timeout=60) as http:
        own = Headgate(http, mortal.base_url, mortal.api_key)
        admission(own, "leased")
        budget_id = budget(own, most)

        def holds() -> bool:
            assert call(own, 0) == 200
            time.sleep(0.3)  # by then the call is settled
            return bool(state(own, budget_id)["reserved_nano_usd"] > 0)

        until(holds, "a region to hold a lease")
        held = state(own, budget_id)
        mortal.kill()
        mortal.start()
        answers = [ask(own, 0)]
        while answers[-1].status_code == 200:
            answers.append(ask(own, len(answers) % 2))
        assert answers[-1].status_code == 402
        until(lambda: settled(own, budget_id)["spent_nano_usd"] == recorded(own), "all to be told")
        spent = recorded(own)
        assert held["spent_nano_usd"] < spent <= most
        assert most - spent < answers[-1].json()["error"]["details"][0]["needs_nano_usd"]
