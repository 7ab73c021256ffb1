"""The isolate's cache of accounts: quick, bounded, and read anew as soon as a gate says that it is old."""

from __future__ import annotations

import pytest

from lib.gateway import model_store
from lib.gateway.callers import callers as accounts_module
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.callers import Callers
from lib.gateway.models import ModelRoute
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import SeededKey, revoke_key, seed_key, seed_org, write
from tests.unit.store.sqlite_binding import new_database


class Store:
    """One organisation, one key, and the accounts of an isolate."""

    def __init__(self) -> None:
        self.database, self.binding = new_database()
        self.key = run(self._seed())
        self.org = self.key.principal.org_id
        self.accounts = Callers()

    async def _seed(self) -> SeededKey:
        return await seed_key(self.database, await seed_org(self.database))

    def find(self, key_hash: str | None = None) -> Caller | None:
        return run(self.accounts.find(self.database, key_hash or self.key.secret_hash, NOW))

    def put(self, model: str) -> None:
        route = ModelRoute(model, "sim", "chat", None)
        run(write(self.database, self.org, *model_store.put(self.org, route, None, NOW)))


def test_an_account_is_the_principal_with_its_models() -> None:
    """As of a version that is not known yet."""
    store = Store()
    store.put("m")
    account = store.find()
    assert account is not None
    assert (account.principal, set(account.routes), account.version) == (store.key.principal, {"m"}, None)


def test_an_account_is_read_once_for_each_version() -> None:
    """From the cache until the gate tells another version; then once more."""
    store = Store()
    store.find()
    store.accounts.policy_is(store.org, 7)
    fresh = store.find()
    assert fresh is not None
    assert fresh.version == 7
    store.binding.statements.clear()
    assert store.find() == fresh._replace(just_read=False)
    assert store.binding.statements == []


def test_a_new_version_shows_what_has_changed() -> None:
    """A model that was added, a key that was revoked."""
    store = Store()
    store.find()
    store.put("new")
    store.accounts.policy_is(store.org, 2)
    account = store.find()
    assert account is not None
    assert "new" in account.routes
    run(revoke_key(store.database, store.org, store.key.principal.key_id, NOW))
    store.accounts.policy_is(store.org, 3)
    assert store.find() is None
    assert store.find() is None


def test_what_changes_during_the_read_is_not_taken_for_new() -> None:
    """The version is noted before the read, so an account is never newer on paper than its data."""
    store = Store()
    store.accounts.policy_is(store.org, 1)
    store.binding.on_batch = lambda: store.accounts.policy_is(store.org, 2)
    account = store.find()
    assert account is not None
    assert account.version is None


def test_an_unknown_key_has_no_account() -> None:
    """And is not remembered: it may be made in the next moment."""
    store = Store()
    assert store.find("0" * 64) is None


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An isolate that sees ever new keys, or ever new organisations, does not grow without end."""
    monkeypatch.setattr(accounts_module, "MOST_CACHED", 3)
    store = Store()
    keys = [run(seed_key(store.database, store.org)) for _ in range(6)]
    for key in keys:
        assert store.find(key.secret_hash)
    assert len(store.accounts._callers) <= 3
    for number in range(10):
        store.accounts.policy_is(f"org{number}", 1)
    assert len(store.accounts._versions) <= 3


def test_forgetting_a_version_makes_an_account_old_not_new() -> None:
    """When the versions are dropped to make room, nothing that was cached passes as current."""
    store = Store()
    store.accounts.policy_is(store.org, 5)
    known = store.find()
    store.accounts._versions.pop(store.org)
    again = store.find()
    assert known is not None
    assert again is not None
    assert (known.version, again.version) == (5, None)


def test_all_keys_of_an_organisation_share_its_models() -> None:
    """They are read once a version; the next key of it asks for none, and has the same."""
    store = Store()
    store.put("m")
    store.accounts.policy_is(store.org, 1)
    first = store.find()
    other = run(seed_key(store.database, store.org))
    store.binding.statements.clear()
    second = store.find(other.secret_hash)
    assert first is not None
    assert second is not None
    assert second.routes is first.routes
    assert not any("FROM models" in sql for sql, _ in store.binding.statements)
    store.accounts.policy_is(store.org, 2)
    third = store.find(other.secret_hash)
    assert third is not None
    assert third.routes is not first.routes


def test_what_is_cached_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many organisations with many models some are kept, and no account is found without its models."""
    monkeypatch.setattr(accounts_module, "MOST_MODELS_BYTES", 5_000)
    store = Store()
    orgs = [run(seed_org(store.database)) for _ in range(8)]
    keys = [run(seed_key(store.database, org)) for org in orgs]
    for org, key in zip(orgs, keys, strict=True):
        for name in ("a", "b"):
            run(write(store.database, org, *model_store.put(org, ModelRoute(name, "sim", "chat", None), None, NOW)))
        store.accounts.policy_is(org, 1)
        store.find(key.secret_hash)
    assert store.accounts._models.bytes <= 5_000
    assert {len(account.routes) for key in keys if (account := store.find(key.secret_hash))} == {2}


def test_what_was_read_for_a_request_needs_no_word_of_its_gate() -> None:
    """Nor what is of the version that its gate has just told. What is older does."""
    store = Store()
    store.accounts.policy_is(store.org, 4)
    read = store.find()
    known = store.find()
    assert read is not None
    assert known is not None
    assert [read.since(9).is_new, known.since(4).is_new, known.since(5).is_new] == [True, True, False]
    other = store.find(run(seed_key(store.database, store.org)).secret_hash)  # with models that were read before
    assert other is not None
    assert [other.since(4).is_new, other.since(5).is_new] == [True, False]
