"""`/api/v1/models`, from request to answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lib.gateway import model_store
from lib.kernel.money import with_dollars
from tests.unit.world import PROVIDERS, Answer, World, new_world

MODELS = "/api/v1/models"
CHAT = {"provider": "sim", "upstream_model": "chat"}
PRICE = {
    "input_nano_usd_per_token": 5, "output_nano_usd_per_token": 7, "cached_input_nano_usd_per_token": None,
    "per_request_nano_usd": None,
}  # fmt: skip


def put(world: World, name: str = "smart", fields: object = None, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.ask("PUT", f"{MODELS}/{name}", CHAT if fields is None else fields, headers=names)


def test_a_model_is_made_read_replaced_and_deleted() -> None:
    """201, then 200 with the next version; the price that holds has a version of its own."""
    world = new_world()
    made = put(world, fields={**CHAT, "price": PRICE})
    assert (made.status, made.headers["etag"], made.data["price"]) == (201, '"1"', with_dollars(PRICE))
    assert made.data["price_version"]
    read = world.ask("GET", f"{MODELS}/smart")
    assert (read.data, read.headers["etag"]) == (made.data, '"1"')
    again = put(world)
    assert (again.status, again.headers["etag"], again.data["price"]) == (200, '"2"', None)
    assert world.ask("DELETE", f"{MODELS}/smart").status == 204
    assert world.ask("GET", f"{MODELS}/smart").status == 404
    assert world.ask("DELETE", f"{MODELS}/smart").status == 404


def test_a_model_is_used_from_the_answer_on() -> None:
    """Also by an isolate that has the account cached: the gate knows a new version."""
    world = new_world()
    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}]}
    assert world.ask("POST", "/v1/chat/completions", body).status == 404
    put(world)
    assert world.ask("POST", "/v1/chat/completions", body).status == 200
    world.ask("DELETE", f"{MODELS}/smart")
    assert world.ask("POST", "/v1/chat/completions", body).status == 404


def test_what_a_model_takes_and_gives_can_be_told() -> None:
    """It is shown again, bounds a call under a hard budget, and is put in under the field that the model takes."""
    world = new_world()
    world.ask("POST", "/api/v1/budgets", {"scope": {"type": "org"}, "window": "day", "limit_nano_usd": 10**10})
    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}]}
    told = {"max_output_tokens": 900, "context_tokens": 9000, "output_limit_field": "max_completion_tokens"}
    for said, field, most in ((told, "max_completion_tokens", 900), ({}, "max_tokens", 4096)):
        shown = put(world, fields={"provider": "openai", "upstream_model": "my-deployment", "price": PRICE, **said})
        assert {name: shown.data[name] for name in told} == {**dict.fromkeys(told), **said}
        assert world.ask("POST", "/v1/chat/completions", body).status == 200
        sent = json.loads(world.upstream.sent[-1].body)
        assert {name: sent[name] for name in sent if name.startswith("max_")} == {field: most}


def test_a_use_is_charged_by_the_price_of_its_time() -> None:
    """Each record names the version; a new price changes no old record."""
    world = new_world()
    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}]}
    first = put(world, fields={**CHAT, "price": PRICE}).data["price_version"]
    world.ask("POST", "/v1/chat/completions", body)
    second = put(world, fields={**CHAT, "price": {**PRICE, "input_nano_usd_per_token": 50}}).data["price_version"]
    world.clock.advance(seconds=1)
    world.ask("POST", "/v1/chat/completions", body)
    records = world.ask("GET", "/api/v1/usage/records").data
    assert [(record["price_version"], record["cost_nano_usd"]) for record in records] == [(second, 250), (first, 25)]


@pytest.mark.parametrize("name", ["a", "gpt-4o", "team/smart", "a%2Fb", "A.b_c:d@e-f", "0" * 128])
def test_a_name_may_hold_what_names_of_models_hold(name: str) -> None:
    """Slashes too, encoded or not."""
    world = new_world()
    assert put(world, name).data["id"] == name.replace("%2F", "/")
    assert world.ask("GET", f"{MODELS}/{name}").status == 200


@pytest.mark.parametrize("name", ["-a", ".a", "/a", "a%20b", "%C3%A9", "0" * 129, "a%00", "a%0A"])
def test_another_name_is_refused(name: str) -> None:
    """It must be possible to send it as a `model`."""
    assert put(new_world(), name).status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"provider": "sim"},
        {"provider": "Sim", "upstream_model": "x"},
        {"provider": "sim\n", "upstream_model": "x"},
        {"provider": "sim", "upstream_model": ""},
        {"provider": "sim", "upstream_model": "x" * 257},
        {**CHAT, "unknown": 1},
        {**CHAT, "price": {}},
        {**CHAT, "price": {**PRICE, "input_nano_usd_per_token": -1}},
        {**CHAT, "price": {**PRICE, "input_nano_usd_per_token": 1.5}},
        {**CHAT, "price": {**PRICE, "input_nano_usd_per_token": 10**9 + 1}},
        {**CHAT, "price": {**PRICE, "per_image": 1}},
        {**CHAT, "max_output_tokens": 0},
        {**CHAT, "max_output_tokens": 10**8 + 1},
        {**CHAT, "max_output_tokens": "5"},
        {**CHAT, "context_tokens": 1.5},
        {**CHAT, "output_limit_field": "n"},
    ],
)
def test_a_malformed_model_is_refused(fields: dict[str, object]) -> None:
    """400, and nothing is made."""
    world = new_world()
    assert put(world, fields=fields).status == 400
    assert world.ask("GET", MODELS).data == []


@pytest.mark.parametrize("upstream", ["\0", "\0x", "x\0", "é😀", " ", "a b"])
def test_any_model_of_a_provider_is_taken_or_refused(upstream: str) -> None:
    """What the store can't keep is the caller's mistake, not ours."""
    world = new_world()
    answer = put(world, fields={"provider": "sim", "upstream_model": upstream})
    assert answer.status in {201, 400, 422}
    if answer.status == 201:
        assert world.ask("GET", f"{MODELS}/smart").data["upstream_model"] == upstream


def test_a_provider_that_is_not_configured_is_refused() -> None:
    """422, telling which are."""
    answer = put(
        new_world({**PROVIDERS, "OPENAI_API_KEY": ""}), fields={"provider": "openai", "upstream_model": "gpt-4o"}
    )
    assert (answer.status, answer.error["message"]) == (422, "This provider is not configured. Configured: sim.")


def test_conditions_guard_against_lost_updates() -> None:
    """If-None-Match: * only makes, If-Match only replaces that version or deletes it."""
    world = new_world()
    assert put(world, if_match='"1"').status == 412
    assert put(world, if_none_match="*").status == 201
    assert put(world, if_none_match="*").status == 412
    assert put(world, if_match='"2"').status == 412
    assert put(world, if_match='"1"').status == 200
    assert world.ask("DELETE", f"{MODELS}/smart", headers={"if-match": '"1"'}).status == 412
    assert world.ask("DELETE", f"{MODELS}/smart", headers={"if-match": '"2"'}).status == 204


def test_a_refused_change_tells_no_gate() -> None:
    """Only what has changed is told."""
    world = new_world()
    put(world, if_match='"1"')
    assert world.gates.changes == []
    put(world)
    world.ask("DELETE", f"{MODELS}/smart")
    assert world.gates.changes == [world.org_id] * 2


def test_an_organisation_has_a_most_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since all of them are in every isolate's cache; replacing one is still possible."""
    monkeypatch.setattr(model_store, "MODELS", replace(model_store.MODELS, most=2))
    world = new_world()
    assert [put(world, name).status for name in ("a", "b", "c", "a")] == [201, 201, 422, 200]


def test_the_list_has_pages_by_name() -> None:
    """Also where names are out of the alphabet's order when made."""
    world = new_world()
    for name in ("b", "a/2", "c", "a/10", "a"):
        put(world, name)
    first = world.ask("GET", f"{MODELS}?limit=3")
    rest = world.ask("GET", f"{MODELS}?limit=3&cursor={first.body['meta']['next_cursor']}")
    assert [model["id"] for model in first.data + rest.data] == ["a", "a/10", "a/2", "b", "c"]
    assert rest.body["meta"]["next_cursor"] is None


def test_a_client_that_has_the_version_gets_no_body() -> None:
    """304, with the tag."""
    world = new_world()
    put(world)
    answer = world.ask("GET", f"{MODELS}/smart", headers={"if-none-match": 'W/"1"'})
    assert (answer.status, answer.headers["etag"]) == (304, '"1"')
