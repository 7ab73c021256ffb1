"""A budget holds over a crash (SIGKILL): what was reserved stays so; what nobody settles is charged at its bound."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import let_their_time_run_out
from tests.e2e.test_budgets_hold import OUTPUT, budget, recorded, settled, state
from tests.e2e.test_limits_hold import limit, used
from tools.stack import Stack


@pytest.fixture(scope="module")
def mortal(stacks: Stacks) -> Iterator[Stack]:
    """A Headgate of this module's own, to be killed."""
    with stacks.new("mortal-budgets") as stack:
        yield stack


@pytest.fixture(scope="module")
def own(mortal: Stack) -> Iterator[Headgate]:
    with httpx.Client(timeout=60) as http:
        yield Headgate(http, mortal.base_url, mortal.api_key)


def test_reservations_survive_and_are_charged_at_their_bound(mortal: Stack, own: Headgate) -> None:
    most = 2_000_000
    budget_id = budget(own, most)
    at_once = limit(own, "concurrent", 5)
    rate = limit(own, "requests", 100, window_seconds=3_600)
    model = sim_model("chunks2000-stall2")
    assert own.chat("sim/chat").status_code == 200
    before = settled(own, budget_id)["spent_nano_usd"]
    with Connection(mortal.base_url) as connection:
        connection.post("/v1/chat/completions", own.key, chat_body(model, stream=True, max_tokens=2_000))
        connection.head()
        SimulatedProvider(own.http, mortal.sim_url).wait_until_active(model)
        held = state(own, budget_id)["reserved_nano_usd"]
        assert held >= 2_000 * OUTPUT
        mortal.kill()
    mortal.start()

    shown = state(own, budget_id)
    assert (shown["spent_nano_usd"], shown["reserved_nano_usd"]) == (before, held)
    assert (used(own, at_once), used(own, rate)) == (1, 2)
    assert own.chat(sim_model("chunks4000"), max_tokens=4_000).status_code == 402  # what is reserved is not free

    mortal.kill()
    let_their_time_run_out(mortal, model)
    mortal.start()
    assert own.chat("sim/chat").status_code == 200  # wakes the gate
    until(lambda: own.records(model=model) != [], "the call to be given up")
    record = own.record(model)
    assert (record["cause"], record["estimated"], record["cost_nano_usd"]) == ("lost", True, held)
    assert settled(own, budget_id)["spent_nano_usd"] == recorded(own) <= most
    until(lambda: used(own, at_once) == 0, "its place to be free")
