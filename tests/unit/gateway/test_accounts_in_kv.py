"""A new isolate takes an account from KV. The gate says when it is old; then the store is asked, once, and KV told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lib.gateway import model_store
from lib.gateway.call.denials import denial_name
from lib.gateway.callers import callers as accounts_module
from lib.gateway.callers.cache import KvFailure
from lib.gateway.callers.caller_text import account_name
from lib.gateway.models import ModelRoute
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.keys import key_store
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import SeededKey, revoke_key, write
from tests.unit.world import Answer, World, cold, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}


def chat(world: World, key: SeededKey | None = None, model: str = "sim/chat") -> Answer:
    return world.ask("POST", "/v1/chat/completions", {**CHAT, "model": model}, key=key.secret if key else "")


def known_to_kv() -> World:
    """A world whose KV has its key's account, and whose isolate is new."""
    world = new_world()
    assert chat(world).status == 200
    assert set(world.kv.texts) == {account_name(world.key.secret_hash)}
    cold(world)
    world.kv.reads.clear()
    return world


def test_an_account_is_put_into_kv_when_its_version_is_known() -> None:
    """For a day. What was read before the gate had told its version is not."""
    world = new_world()
    run(world.parts.callers.find(world.parts.database, world.key.secret_hash, NOW))
    assert world.parts.callers.unpublished == {}
    assert chat(world).status == 200
    assert world.kv.seconds == {account_name(world.key.secret_hash): 86_400}


def test_a_new_isolate_takes_it_from_there_and_the_store_is_not_asked() -> None:
    """In one read, together with what may refuse it. After that nobody is asked."""
    world = known_to_kv()
    answer = chat(world)
    assert (answer.status, answer.facts["db_queries"]) == (200, 0)
    assert chat(world).facts["db_queries"] == 0
    assert world.kv.reads == [(account_name(world.key.secret_hash), denial_name(world.key.secret_hash))]
    assert failures.counts() == {}


def test_a_key_that_was_revoked_is_refused_whatever_kv_says() -> None:
    """At once, and KV forgets it. The store is asked once for that."""
    world = known_to_kv()
    run(revoke_key(world.parts.database, world.org_id, world.key.principal.key_id, NOW))
    run(world.parts.gates.accounts_changed(world.org_id))
    cold(world)
    answer = chat(world)
    assert (answer.status, answer.facts["db_queries"]) == (401, 1)
    assert failures.counts() == {Failure.KV_STALE.name.lower(): 1}
    assert world.kv.texts == {}
    assert world.upstream.sent[1:] == []


def test_kv_that_stays_old_is_asked_once() -> None:
    """A minute may pass until it has the new one. The isolate has it from the store, and never loops."""
    world = known_to_kv()
    old = dict(world.kv.texts)
    run(world.parts.gates.accounts_changed(world.org_id))
    cold(world)
    assert chat(world).status == 200
    world.kv.texts.update(old)
    assert chat(world).facts["db_queries"] == 0
    assert len(world.kv.reads) == 1


def test_an_old_one_is_known_by_the_version_that_another_key_has_learnt() -> None:
    """The gate has told this isolate already."""
    world = known_to_kv()
    other = world.new_key("chat:write")
    run(world.parts.gates.accounts_changed(world.org_id))
    cold(world)
    assert chat(world, other).status == 200
    before = world.gates.asked
    assert chat(world).status == 200
    assert world.gates.asked == before + 1
    assert failures.counts() == {"kv_stale": 1}


def test_a_new_model_is_found_by_an_isolate_that_has_an_old_account() -> None:
    """Before it says that there is none, it asks the gate whether it is right."""
    world = known_to_kv()
    run(
        write(
            world.parts.database,
            world.org_id,
            *model_store.put(world.org_id, ModelRoute("new", "sim", "chat", None), None, NOW),
        )
    )
    run(world.parts.gates.accounts_changed(world.org_id))
    cold(world)
    assert chat(world, model="new").status == 200
    assert chat(world, model="none").status == 404


def test_a_key_that_lives_longer_now_is_let_in() -> None:
    """An old end, in memory or in KV, is no reason to refuse it: the store is asked."""
    world = new_world()
    key = world.new_key("chat:write", ends=NOW + timedelta(seconds=5))
    assert chat(world, key).status == 200
    cold(world)
    later = NOW + timedelta(hours=1)
    row = run(key_store.KEYS.get(world.parts.database, world.org_id, key.principal.key_id))
    assert row is not None
    changed = key_store.update(replace(row, expires_at=later))
    assert run(write(world.parts.database, world.org_id, changed))
    run(world.parts.gates.accounts_changed(world.org_id))
    cold(world)
    world.clock.advance(seconds=6)
    assert chat(world, key).status == 200
    world.clock.advance(hours=1)
    assert chat(world, key).status == 401


@pytest.mark.parametrize("trouble", [{"failure": KvFailure("500")}, {"slow": True}], ids=["failing", "slow"])
def test_without_kv_the_store_is_asked(trouble: dict[str, object]) -> None:
    """Nobody is refused, nor waits long."""
    world = known_to_kv()
    for name, value in trouble.items():
        setattr(world.kv, name, value)
    answer = chat(world)
    assert (answer.status, answer.facts["db_queries"]) == (200, 4)  # as before and after its version is known
    assert failures.counts() == {Failure.KV_READ.name.lower(): 1, Failure.KV_WRITE.name.lower(): 1}


def test_what_is_in_kv_and_is_no_account_is_passed_over() -> None:
    """As another version of Headgate may have left it."""
    world = known_to_kv()
    world.kv.texts = dict.fromkeys(world.kv.texts, "[99]")
    assert chat(world).status == 200


def test_an_unknown_key_is_not_put_into_kv() -> None:
    """Nor deleted there: a flood of them would be one of writes."""
    world = known_to_kv()
    world.kv.failure = None
    assert world.ask("GET", "/v1/models", key=None).status == 401
    assert run(world.parts.callers.find(world.parts.database, "0" * 64, NOW)) is None
    assert world.parts.callers.unpublished == {}


def test_what_waits_for_kv_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a cached entry is lost."""
    monkeypatch.setattr(accounts_module, "MOST_UNPUBLISHED", 2)
    world = new_world()
    accounts = world.parts.callers
    accounts.policy_is(world.org_id, 1)
    for key in [world.new_key() for _ in range(4)]:
        run(accounts.find(world.parts.database, key.secret_hash, NOW))
    assert len(accounts.unpublished) == 2
