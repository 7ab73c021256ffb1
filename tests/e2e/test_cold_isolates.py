"""What a new isolate knows: accounts and lasting refusals from KV, which may be old or broken. Never a revoked key.

A restart of the Worker makes it forget; KV, the store and the gates stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lib.kernel.failures import Failure
from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.log import failures, line_of
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import break_gates
from tools.stack import Stack


@pytest.fixture(scope="module")
def forgetful(stacks: Stacks) -> Iterator[Stack]:
    """A Headgate of this module's own, to be restarted."""
    with stacks.new("forgetful") as stack:
        yield stack


@pytest.fixture(scope="module")
def own(forgetful: Stack) -> Iterator[Headgate]:
    with httpx.Client(timeout=60) as http:
        yield Headgate(http, forgetful.base_url, forgetful.api_key)


def used(stack: Stack, caller: Headgate) -> None:
    """Call a model, and wait until all that follows is done: KV has the account then."""
    answer = caller.chat(sim_model())
    assert answer.status_code == 200
    line_of(stack, answer)


def limited(own: Headgate, key_id: str) -> str:
    """Give a key a limit of one call in ten minutes."""
    scope = {"type": "key", "id": key_id}
    answer = own.post("/api/v1/limits", {"scope": scope, "unit": "requests", "limit": 1, "window_seconds": 600})
    assert answer.status_code == 201
    return str(answer.json()["data"]["id"])


def refused(stack: Stack, caller: Headgate) -> Json:
    answer = caller.chat("sim/chat")
    error = assert_error(answer, 429, openai=True)
    assert error["code"] == "requests_limit_reached"
    assert 500 < int(answer.headers["retry-after"]) <= 601
    return line_of(stack, answer)


def test_what_a_cold_isolate_knows(forgetful: Stack, own: Headgate) -> None:
    """One restart, since each takes seconds: every part says what it is about."""
    kept, revoked, limit_key, other = (own.new_key() for _ in range(4))
    for key in (kept, revoked, limit_key):
        used(forgetful, own.as_key(key.secret))
    limit_id = limited(own, limit_key.id)
    held = own.as_key(limit_key.secret)
    used(forgetful, held)
    assert "denial" not in refused(forgetful, held)  # the gate says so
    assert refused(forgetful, held)["denial"] == "remembered"
    used(forgetful, own.as_key(kept.secret))
    forgetful.restart()

    # An account that is not old: the store is not asked.
    answer = own.as_key(kept.secret).chat("sim/chat")
    assert (answer.status_code, line_of(forgetful, answer)["db_queries"]) == (200, 0)
    # A refusal that lasts: neither is the gate.
    line = refused(forgetful, held)
    assert (line["denial"], line["db_queries"]) == ("remembered", 0)
    # It is believed for five seconds; then the gate is asked again, which knows better if there is better to know.
    until(lambda: "denial" not in refused(forgetful, held), "the gate to be asked again")
    # From the answer on, a limit that is gone refuses nobody.
    assert refused(forgetful, held)["denial"] == "remembered"
    assert own.delete(f"/api/v1/limits/{limit_id}").status_code == 204
    assert held.chat("sim/chat").status_code == 200
    # A key that KV has never heard of comes from the store.
    assert own.as_key(other.secret).chat("sim/chat").status_code == 200

    # What follows is what KV has, and is old: nobody uses the revoked key before the isolate is cold again.
    name = letters()
    used(forgetful, own.as_key(kept.secret))
    assert own.delete(f"/api/v1/keys/{revoked.id}").status_code == 204
    assert own.put(f"/api/v1/models/{name}", {"provider": "sim", "upstream_model": "chat"}).status_code == 201
    forgetful.restart()
    before = failures(forgetful).count(Failure.KV_STALE.name.lower())
    answer = own.as_key(revoked.secret).chat("sim/chat")
    assert_error(answer, 401, openai=True)
    assert line_of(forgetful, answer)["db_queries"] == 1
    until(lambda: failures(forgetful).count(Failure.KV_STALE.name.lower()) == before + 1, "the old entry to be noted")
    forgetful.restart()
    # Also where nothing would be sent: an unknown model is no way to learn what a revoked key could see.
    assert_error(own.as_key(revoked.secret).chat("no-such-model"), 401, openai=True)
    # A model that was made after KV was told.
    assert own.as_key(kept.secret).chat(name).status_code == 200


def test_kv_that_is_broken(forgetful: Stack, own: Headgate) -> None:
    """Everything goes on from the store. It is written in the log, and counted where operators look."""
    key = own.new_key()
    forgetful.kill()
    folder = forgetful.state.wrangler_data(STORE) / "v3/kv"
    files = [path for path in folder.rglob("*.sqlite*") if path.name != "metadata.sqlite"]
    assert files
    for path in files:
        path.write_bytes(b"no database" * 1000)
    forgetful.start()

    used(forgetful, own.as_key(key.secret))

    for failure in (Failure.KV_READ, Failure.KV_WRITE):
        until(lambda: failure.name.lower() in failures(forgetful), f"{failure} to be noted")  # noqa: B023 - used at once
    counted = own.get("/readyz").json()
    assert counted["status"] == "ok"
    assert counted["failures"]["kv_read"] >= 1
    forgetful.kill()
    shutil.rmtree(folder)
    forgetful.start()
    used(forgetful, own.as_key(key.secret))


def test_a_gate_that_is_broken(forgetful: Stack, own: Headgate) -> None:
    """Nothing is let in, and a settlement that does not arrive is noted. The last test: it stays broken."""
    under_way = sim_model("lat2000")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(own.chat, under_way)
        SimulatedProvider(own.http, forgetful.sim_url).wait_until_active(under_way)
        break_gates(forgetful)
        assert waiting.result().status_code == 200  # it was let in
    until(lambda: own.chat("sim/chat").status_code == 503, "the gate to be away")
    answer = own.chat("sim/chat")
    assert assert_error(answer, 503, openai=True)["code"] == "gate_unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    for failure in (Failure.GATE_UNREACHABLE, Failure.SETTLEMENT_UNDELIVERED):
        until(lambda: failure.name.lower() in failures(forgetful), f"{failure} to be noted")  # noqa: B023 - used at once
