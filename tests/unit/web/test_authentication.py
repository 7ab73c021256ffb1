"""Who is let in to a look-up: a flood of wrong keys is not, a right key always is."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from lib.defence.shield import BURST, WRONG_SECONDS
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.secrets.api_keys import new_key
from lib.store.database import StoreUnavailable
from lib.tokens import jwt
from lib.web import credentials, pipeline
from tests.seen import ROUTER
from tests.unit.fakes import NOW, raw_request, run
from tests.unit.sign_in.test_tokens import App, new_app, sign_in
from tests.unit.world import World, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
ROUTES = [("POST", "/v1/chat/completions", CHAT), ("GET", "/api/v1/keys", None)]


def reads(world: World) -> int:
    return len([sql for sql, _ in world.binding.statements if "WHERE secret_hash" in sql])


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_a_flood_of_wrong_keys_costs_a_bounded_number_of_reads(method: str, path: str, body: object) -> None:
    """On every kind of route; no gate is asked. A right key that is known is served all the while."""
    world = new_world()
    assert world.ask(method, path, body).status == 200
    asked, before, kv = world.gates.asked, reads(world), len(world.kv.reads)
    answers = Counter(world.ask(method, path, body, key=new_key()).status for _ in range(100))
    assert answers == {401: BURST, 429: 100 - BURST}
    assert reads(world) - before == BURST
    assert len(world.kv.reads) - kv <= BURST
    assert world.gates.asked == asked
    assert world.ask(method, path, body).status == 200
    refused = world.ask(method, path, body, key=new_key())
    assert (refused.error["code"], refused.headers["retry-after"]) == ("too_many_wrong_keys", "1")


def test_a_right_key_that_is_not_known_is_let_in_when_its_turn_comes() -> None:
    """As the answer says; from another network at once."""
    world = new_world()
    late = world.new_key("keys:read")
    for _ in range(BURST + 1):
        world.ask("GET", "/api/v1/keys", key=new_key())
    assert world.ask("GET", "/api/v1/keys", key=late.secret).status == 429
    elsewhere = {"cf-connecting-ip": "203.0.113.9"}
    assert world.ask("GET", "/api/v1/keys", headers=elsewhere).status == 200
    world.clock.advance(seconds=1)
    assert world.ask("GET", "/api/v1/keys", key=late.secret).status == 200
    assert world.ask("GET", "/api/v1/keys", key=late.secret).status == 200


def test_a_wrong_key_is_looked_up_once_in_a_while() -> None:
    """However often it comes."""
    world, wrong = new_world(), new_key()
    assert {world.ask("GET", "/api/v1/keys", key=wrong).status for _ in range(50)} == {401}
    assert reads(world) == 1
    world.clock.advance(seconds=WRONG_SECONDS)
    assert world.ask("GET", "/api/v1/keys", key=wrong).status == 401
    assert reads(world) == 2


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_an_expired_key_is_like_a_wrong_one(method: str, path: str, body: object) -> None:
    """It must not be a way around the shield."""
    world = new_world()
    ended = world.new_key("chat:write", "keys:read", ends=NOW - timedelta(seconds=1))
    assert {world.ask(method, path, body, key=ended.secret).status for _ in range(50)} == {401}
    assert reads(world) == 1


def test_many_that_come_at_once_with_one_right_key_are_all_served() -> None:
    """One looks it up; the others wait for that, and need no token."""
    world = new_world()
    headers = {"authorization": f"Bearer {world.key.secret}", "content-type": "application/json"}

    async def together() -> list[int]:
        requests = [raw_request("GET", "/api/v1/keys", b"", headers) for _ in range(3 * BURST)]
        answers = await asyncio.gather(*(pipeline.handle(world.parts, ROUTER, request) for request in requests))
        return [answer.status for answer in answers]

    assert set(run(together())) == {200}


def test_a_store_that_is_away_is_a_503_for_who_is_not_known() -> None:
    """Also for the hundredth: no token is lost by it. Who is known goes on."""
    world = new_world()
    stranger = world.new_key()
    assert world.ask(*ROUTES[0]).status == 200
    assert world.ask(*ROUTES[0]).status == 200

    def away() -> None:
        raise StoreUnavailable("down")

    world.binding.on_batch = away
    assert {world.ask("GET", "/api/v1/keys", key=stranger.secret).status for _ in range(2 * BURST)} == {503}
    assert failures.counts() == {Failure.STORE_AWAY.name.lower(): 2 * BURST}
    assert world.ask(*ROUTES[0]).status == 200


def test_a_token_is_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app sends the same one again and again. It ends all the same, and what is kept is bounded."""
    world, app = new_app()
    assert app.listing() == 200
    with monkeypatch.context() as patch:
        patch.setattr(jwt, "parse", lambda _: pytest.fail("read again"))
        assert (app.listing(), app.chat()) == (200, 200)
    monkeypatch.setattr(credentials, "MOST_TAKEN_APART", 2)
    others = [App.of(world, sign_in(world)) for _ in range(3)]
    assert [other.listing() for other in others] == [200] * 3
    assert len(world.parts.tokens.taken_apart) == 2
    world.clock.advance(minutes=15)
    assert others[-1].listing() == 401
