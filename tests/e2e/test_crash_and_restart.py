"""What survives: a restart keeps everything, and a crash (SIGKILL) loses no record of what was used.

Starting a Worker takes seconds, so there is one restart and one crash, and each test looks at a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate, Json, Key, chat_body
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import calls_under_way, let_their_time_run_out, revoke_untold
from tools.project import ToolError
from tools.stack import Stack
from tools.verify_audit import examine

ANSWERED = 30


@pytest.fixture(scope="module")
def mortal(stacks: Stacks) -> Iterator[Stack]:
    """A Headgate of this module's own, to be killed. It shares nothing with the others, which a test asks about."""
    with stacks.new_from_nothing("mortal") as stack:
        yield stack


@pytest.fixture(scope="module")
def own(mortal: Stack) -> Iterator[Headgate]:
    with httpx.Client(timeout=60) as http:
        yield Headgate(http, mortal.base_url, mortal.api_key)


@dataclass(frozen=True)
class Before:
    """What there was before the restart."""

    addresses: tuple[str, str]
    key: Key
    revoked: Key
    model: str
    name: str
    record: Json
    repeat: str
    repeated: Json


@pytest.fixture(scope="module")
def restarted(mortal: Stack, own: Headgate) -> Before:
    key, revoked, model, name, repeat = own.new_key(), own.new_key(), sim_model("chunks3"), letters(), letters()
    own.as_key(key.secret).chat(model)
    own.delete(f"/api/v1/keys/{revoked.id}")
    own.put(f"/api/v1/models/{name}", {"provider": "sim", "upstream_model": "chat-chunks4"})
    repeated = own.post("/api/v1/keys", {"name": "x"}, idempotency_key=repeat).json()
    addresses = (mortal.base_url, mortal.sim_url)
    before = Before(addresses, key, revoked, model, name, own.record(model), repeat, repeated)
    mortal.restart()
    return before


@dataclass(frozen=True)
class Crash:
    """Calls of which all were answered, those of them that were just being settled, calls that were under way, and a
    key whose revocation was committed, and no more.
    """

    answered: str
    unsettled: set[str]
    streaming: str
    streaming_id: str
    waiting: str
    waiting_id: str
    broke: bool
    revoked: Key


@pytest.fixture(scope="module")
def crashed(mortal: Stack, own: Headgate, restarted: Before) -> Crash:
    """Kill the Worker; after the restart, since each would disturb the other."""
    assert own.base_url in restarted.addresses
    answered, streaming, waiting = sim_model("chunks3"), sim_model("stall2"), sim_model("lat30000")
    sim, revoked = SimulatedProvider(own.http, mortal.sim_url), own.new_key()
    assert own.as_key(revoked.secret).chat(sim_model()).status_code == 200
    with Connection(mortal.base_url) as first, Connection(mortal.base_url) as second:
        first.post("/v1/chat/completions", own.key, chat_body(streaming, stream=True))
        head = first.head()
        first.body_until(b'{"content":"from "')
        second.post("/v1/chat/completions", own.key, chat_body(waiting))
        sim.wait_until_active(waiting)
        for index in range(ANSWERED):
            assert own.chat(answered, stream=bool(index % 2)).status_code == 200
        mortal.kill()
        try:
            first.body(head)
            broke = False
        except (OSError, ValueError):
            broke = True
    [streaming_id], [waiting_id] = calls_under_way(mortal, streaming), calls_under_way(mortal, waiting)
    unsettled = calls_under_way(mortal, answered)
    crash = Crash(answered, unsettled, streaming, streaming_id, waiting, waiting_id, broke, revoked)
    revoke_untold(mortal, mortal.org_id, revoked.id)
    for model in (streaming, waiting):
        let_their_time_run_out(mortal, model)
    mortal.start()
    return crash


def test_a_restart_keeps_addresses(mortal: Stack, restarted: Before) -> None:
    """Clients find a restarted Headgate where it was."""
    assert (mortal.base_url, mortal.sim_url) == restarted.addresses


def test_a_restart_keeps_keys_and_models(own: Headgate, restarted: Before) -> None:
    """Keys and models work as before, and what was revoked stays revoked."""
    assert own.as_key(restarted.key.secret).chat(restarted.name).json()["usage"]["completion_tokens"] == 4
    assert own.as_key(restarted.revoked.secret).chat(restarted.name).status_code == 401


def test_a_restart_keeps_usage_and_answers(own: Headgate, restarted: Before) -> None:
    """Records of usage and answers to idempotent requests are what they were."""
    assert own.record(restarted.model) == restarted.record
    again = own.post("/api/v1/keys", {"name": "x"}, idempotency_key=restarted.repeat)
    assert again.json() == restarted.repeated


def test_a_crash_loses_no_call_that_was_answered(own: Headgate, crashed: Crash) -> None:
    """Calls that were answered are on record at once, but for the last ones, which are kept as under way."""
    assert len(crashed.unsettled) <= 2

    records = own.records(model=crashed.answered)
    assert len(records) == ANSWERED - len(crashed.unsettled)
    assert crashed.unsettled.isdisjoint(record["id"] for record in records)
    assert all(record["output_tokens"] == 3 for record in records)


def test_a_crash_loses_no_call_that_was_under_way(own: Headgate, crashed: Crash) -> None:
    """A call that nobody settles is charged once its time is over: marked lost, and estimated."""
    assert own.chat("sim/chat").status_code == 200

    for model, call_id in ((crashed.streaming, crashed.streaming_id), (crashed.waiting, crashed.waiting_id)):
        record = own.record(model)
        assert record["id"] == call_id
        assert (record["cause"], record["estimated"], record["status"]) == ("lost", True, None)
        assert record["input_tokens"] > 0


def test_a_change_of_which_a_crash_told_nobody(own: Headgate, mortal: Stack, crashed: Crash) -> None:
    """A key that was revoked just before it opens nothing after it; and the event gets its link with the next one."""
    assert own.as_key(crashed.revoked.secret).chat("sim/chat").status_code == 401

    made = own.new_key()
    newest, revoked, *_ = own.all_pages("/api/v1/audit")
    assert (newest["target"], revoked["target"]) == (f"key:{made.id}", f"key:{crashed.revoked.id}")
    sql = f"SELECT max(seq) AS seq FROM audit_links WHERE org_id = '{mortal.org_id}'"
    until(lambda: mortal.target().rows(sql)[0]["seq"] == newest["seq"], "both are linked")
    assert examine(mortal.target(), STORE, mortal.state.secrets()["HEADGATE_SECRET"]).flaws == []


def test_a_crash_is_no_end_of_an_answer(own: Headgate, mortal: Stack, crashed: Crash) -> None:
    """A stream that a crash cuts never looks complete to its client, and the provider is let go."""
    assert crashed.broke
    sim = SimulatedProvider(own.http, mortal.sim_url)
    models = (crashed.streaming, crashed.waiting)
    until(lambda: all(sim.of(model)["cancelled"] == 1 for model in models), "the provider is let go")


def test_two_side_by_side(mortal: Stack, own: Headgate, stack: Stack, headgate: Headgate, crashed: Crash) -> None:
    """Two deployments share nothing: not a port, a provider, a key or a record."""
    assert len({stack.base_url, mortal.base_url, stack.sim_url, mortal.sim_url}) == 4
    assert own.as_key(headgate.key).chat("sim/chat").status_code == 401
    assert headgate.as_key(own.key).chat("sim/chat").status_code == 401
    model = sim_model()
    own.chat(model)
    headgate.chat(model)
    assert own.record(model)["id"] != headgate.record(model)["id"]
    assert headgate.records(model=crashed.answered) == []


def test_a_folder_in_use(mortal: Stack) -> None:
    """A second Headgate over the same data is refused: it would spoil the first one's."""
    with pytest.raises(ToolError, match="in use"), Stack(mortal.state.folder, store=STORE):
        pass
