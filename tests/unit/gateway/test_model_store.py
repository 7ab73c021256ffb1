"""An organisation's own models in the store: versions, prices that never change, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lib.gateway import model_store
from lib.gateway.model_store import MODELS, ModelRow
from lib.gateway.models import Limits, ModelRoute, OutputField
from lib.kernel.ids import new_id
from lib.keys import key_store
from lib.ledger.usage import Price
from lib.store.database import CheckViolation, Database, ForeignKeyViolation, UniqueViolation
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import SeededKey, revoke_key, seed_key, seed_org, write
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

LATER = NOW + timedelta(hours=1)


class Store:
    """Two organisations with a key each."""

    def __init__(self) -> None:
        self.database: Database
        self.binding: SqliteBinding
        self.database, self.binding = new_database()
        self.own, self.other = run(self._seed()), run(self._seed())
        self.org = self.own.principal.org_id

    async def _seed(self) -> SeededKey:
        return await seed_key(self.database, await seed_org(self.database))

    def put(self, model: str, upstream: str = "chat", price: Price | None = None, expected: int | None = None) -> bool:
        route = ModelRoute(model, "sim", upstream, price)
        return run(write(self.database, self.org, *model_store.put(self.org, route, expected, NOW)))

    def get(self, model: str, org: str | None = None) -> ModelRow | None:
        return run(model_store.get_model(self.database, org or self.org, model))


def price(amount: int = 1) -> Price:
    return Price(amount, amount * 2, None, new_id(NOW))


def test_a_model_is_made_and_replaced() -> None:
    """Each replacement is a new version; when it was made stays."""
    store = Store()
    assert store.put("m", "one")
    route = ModelRoute("m", "openai", "two", None)
    assert run(write(store.database, store.org, *model_store.put(store.org, route, None, LATER)))
    row = store.get("m")
    assert row is not None
    assert row.route() == route
    assert (row.version, row.created_at, row.updated_at) == (2, NOW, LATER)


def test_only_if_new_makes_and_never_replaces() -> None:
    """`expected_version` 0, for If-None-Match: *."""
    store = Store()
    assert store.put("m", "one", expected=0)
    assert not store.put("m", "two", expected=0)
    row = store.get("m")
    assert row is not None
    assert (row.upstream_model, row.version) == ("one", 1)


def test_only_if_still_this_version_replaces_and_never_makes() -> None:
    """For If-Match: a model that was deleted meanwhile does not come back."""
    store = Store()
    assert not store.put("m", expected=1)
    assert store.get("m") is None
    store.put("m", "one")
    assert store.put("m", "two", expected=1)
    assert not store.put("m", "three", expected=1)
    row = store.get("m")
    assert row is not None
    assert (row.upstream_model, row.version) == ("two", 2)


def test_a_price_is_a_new_row_and_the_old_one_stays() -> None:
    """Usage records name the price that they were charged by, so it is never changed or deleted."""
    store = Store()
    first, second = price(1), price(2)
    store.put("m", price=first)
    store.put("m", price=second)
    row = store.get("m")
    assert row is not None
    assert row.route().price == second
    store.put("m")
    row = store.get("m")
    assert row is not None
    assert row.route().price is None
    run(write(store.database, store.org, MODELS.delete(store.org, "m", None)))
    kept = store.binding.rows("SELECT id FROM model_prices ORDER BY input_nano_usd_per_token")
    assert [entry["id"] for entry in kept] == [first.version, second.version]


@pytest.mark.parametrize("per_request", [None, 0, 7])
def test_a_price_of_a_request_of_none_is_not_nought(per_request: int | None) -> None:
    """Nought is a price: with it every request has a known one. None is no such price."""
    store = Store()
    wanted = Price(0, 0, None, new_id(NOW), per_request)
    store.put("m", price=wanted)
    row = store.get("m")
    assert row is not None
    assert row.route().price == wanted


@pytest.mark.parametrize("limits", [Limits(None, 5), Limits(9, None), Limits(9, 5)])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", None])
def test_what_was_said_of_a_model_is_kept(limits: Limits, field: OutputField | None) -> None:
    """And gone when the model is replaced without it."""
    store = Store()
    route = ModelRoute("m", "sim", "chat", None, limits, field)
    for wanted in (route, ModelRoute("m", "sim", "chat", None)):
        run(write(store.database, store.org, *model_store.put(store.org, wanted, None, NOW)))
        row = store.get("m")
        assert row is not None
        assert row.route() == wanted


@pytest.mark.parametrize("cached", [None, 0, 7])
def test_a_cached_price_of_none_is_not_nought(cached: int | None) -> None:
    """None means "as other input"."""
    store = Store()
    wanted = Price(1, 2, cached, new_id(NOW))
    store.put("m", price=wanted)
    row = store.get("m")
    assert row is not None
    assert row.route().price == wanted


def test_a_model_and_its_price_are_written_together_or_not_at_all() -> None:
    """A model that the store refuses leaves no price behind."""
    store = Store()
    with pytest.raises(CheckViolation):
        store.put("m", "x" * 257, price())
    same = price()
    store.put("m", price=same)
    with pytest.raises(UniqueViolation):
        store.put("m", "other", price=same)
    row = store.get("m")
    assert row is not None
    assert row.upstream_model == "chat"
    assert len(store.binding.rows("SELECT * FROM model_prices")) == 1


def test_a_model_belongs_to_an_organisation_that_exists() -> None:
    """The store itself refuses another."""
    store = Store()
    nobody, route = new_id(NOW), ModelRoute("m", "sim", "x", None)
    with pytest.raises(ForeignKeyViolation):
        run(write(store.database, nobody, *model_store.put(nobody, route, None, NOW)))


def test_another_organisations_models_are_not_there() -> None:
    """The same name in two organisations is two models."""
    store = Store()
    store.put("m", "mine")
    theirs = store.other.principal.org_id
    assert store.get("m", theirs) is None
    assert not run(write(store.database, theirs, MODELS.delete(theirs, "m", None)))
    run(write(store.database, theirs, *model_store.put(theirs, ModelRoute("m", "sim", "theirs", None), None, NOW)))
    row = store.get("m")
    assert row is not None
    assert (row.upstream_model, row.version) == ("mine", 1)
    assert [len(run(model_store.routes_of(store.database, org))) for org in (store.org, theirs)] == [1, 1]


def test_an_organisations_models_are_read_by_name() -> None:
    """All of them, for the isolate's cache; of another organisation, or one that nobody made, none."""
    store = Store()
    wanted = price(3)
    store.put("a/b", price=wanted)
    store.put("c")
    routes = run(model_store.routes_of(store.database, store.org))
    assert routes == {"a/b": ModelRoute("a/b", "sim", "chat", wanted), "c": ModelRoute("c", "sim", "chat", None)}
    assert run(model_store.routes_of(store.database, store.other.principal.org_id)) == {}
    assert run(model_store.routes_of(store.database, new_id(NOW))) == {}


def test_no_room_is_taken_by_who_asked_while_there_was_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts stands in the group that writes: of two at once one is made, the other leaves no price."""
    monkeypatch.setattr(model_store, "MODELS", replace(MODELS, most=1))
    store = Store()
    first, second = (
        model_store.put(store.org, ModelRoute(name, "sim", "x", price()), None, NOW) for name in ("a", "b")
    )
    assert [run(write(store.database, store.org, *group)) for group in (first, second, first[1:])] == [
        True,
        False,
        True,
    ]
    assert list(run(model_store.routes_of(store.database, store.org))) == ["a"]
    assert len(store.binding.rows("SELECT * FROM model_prices")) == 1


def test_deleting_needs_the_version_that_was_read() -> None:
    """And tells whether there was one to delete."""
    store = Store()
    store.put("m")
    assert not run(write(store.database, store.org, MODELS.delete(store.org, "m", 2)))
    assert run(write(store.database, store.org, MODELS.delete(store.org, "m", 1)))
    assert not run(write(store.database, store.org, MODELS.delete(store.org, "m", None)))


def test_pages_follow_each_other_by_name() -> None:
    """Without gap or repetition, also when a model that was shown is deleted."""
    store = Store()
    names = sorted(f"m{number}/{number % 3}" for number in range(25))
    for name in reversed(names):
        store.put(name)
    seen: list[str] = []
    after = ""
    while rows := run(model_store.list_models(store.database, store.org, after, 7)):
        seen += [row.id for row in rows]
        after = rows[-1].id
        run(write(store.database, store.org, MODELS.delete(store.org, after, None)))
    assert seen == names


def test_a_revoked_keys_models_are_of_no_use() -> None:
    """The models are read beside the principal; without a principal there is no account."""
    store = Store()
    store.put("m")
    run(revoke_key(store.database, store.org, store.own.principal.key_id, NOW))
    assert run(key_store.find_principal(store.database, store.own.secret_hash)) is None
