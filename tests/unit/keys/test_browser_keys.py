"""Keys for browsers: what they are bound to, who may mint them, and what becomes of their budgets."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lib.admission import rule_store
from lib.gateway.callers.caller_text import FORM
from lib.keys import browser_keys
from lib.keys.browser_keys import SETTLING
from lib.rules.rule_service import BUDGET
from tests.unit.fakes import run
from tests.unit.sign_in.bound_keys import HOME, MINT, PAGE, chat, minted, new_key, new_team
from tests.unit.world import World, cold, new_world

EVIL = "https://evil.example"


def budgets(world: World) -> list[Any]:
    return list(world.ask("GET", "/api/v1/budgets").body["data"])


def test_a_minted_key_is_what_was_asked_for() -> None:
    """For one end user, some minutes, models and pages; with a hard budget of its own."""
    world = new_world()
    key = minted(world)
    assert (key["kind"], key["end_user"], key["models"], key["origins"]) == ("browser", "ann", ["sim/chat"], [PAGE])
    assert key["scopes"] == ["chat:write", "embeddings:write", "models:read"]
    [budget] = budgets(world)
    assert budget["scope"] == {"type": "key", "id": key["id"], "model": None}
    assert (budget["window"], budget["limit_nano_usd"], budget["mode"]) == ("total", 10**9, "hard")
    assert chat(world, key["secret"], origin=PAGE).status == 200
    assert chat(world, key["secret"], "sim/other", origin=PAGE).status == 404
    world.clock.advance(minutes=15)
    assert chat(world, key["secret"], origin=PAGE).status == 401


def test_its_budget_holds() -> None:
    """From its first call on, also where the isolate knew the organisation before."""
    world = new_world()
    assert chat(world, world.key.secret).status == 200
    key = minted(world, budget_nano_usd=1)
    refused = chat(world, key["secret"], origin=PAGE)
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")
    assert chat(world, world.key.secret).status == 200


@pytest.mark.parametrize("origin", [None, EVIL, "null", PAGE + ":8443", PAGE.upper(), "http://app.example", PAGE + "/"])
def test_only_the_pages_that_it_names_may_use_it(origin: str | None) -> None:
    """And no answer says to another page that it may read it."""
    world = new_world()
    key = minted(world)
    refused = chat(world, key["secret"], origin=origin)
    assert (refused.status, refused.error["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers


def test_a_page_may_read_its_answers() -> None:
    """Errors too, and what the headers say of costs and limits; never with cookies."""
    world = new_world()
    key = minted(world)
    for answer in (
        chat(world, key["secret"], origin=PAGE),
        chat(world, key["secret"], "sim/other", origin=PAGE),
        world.ask("GET", "/v1/models", key=key["secret"], headers={"origin": PAGE}),
    ):
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "x-headgate-cost" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["vary"] == "origin"
    assert "access-control-allow-origin" not in chat(world, world.key.secret, origin=PAGE).headers


def test_a_browser_may_ask_before() -> None:
    """Of the AI API, from any page: the key says later whether it is the right one. Nothing else is opened."""
    world = new_world()
    wanted = "authorization, content-type"
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": wanted}
    answer = world.ask("OPTIONS", "/v1/chat/completions", headers=asked, key=None)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == wanted
    assert "access-control-allow-credentials" not in answer.headers
    for path, headers in (("/api/v1/keys", asked), ("/v1x", asked), ("/api/v1/keys", {"origin": PAGE})):
        other = world.ask("OPTIONS", path, headers=headers, key=None)
        assert other.status in {403, 405}
        assert "access-control-allow-origin" not in other.headers


def test_its_calls_are_its_end_users() -> None:
    """Whatever the page says: else it would use up another's limit, or get away from its own."""
    world = new_world()
    key = minted(world)
    chat(world, key["secret"], origin=PAGE, user="somebody else")
    assert world.gates.settled[-1].end_user == "ann"


def test_it_manages_nothing() -> None:
    """Minting gives none but the scopes that call models, and only those that the minting key has."""
    world = new_world()
    key = minted(world)
    for path in ("/api/v1/keys", "/api/v1/budgets", "/api/v1/usage"):
        assert world.ask("GET", path, key=key["secret"], headers={"origin": PAGE}).status == 403
    assert world.ask("POST", "/api/v1/keys/actions/mint", MINT | {"scopes": ["keys:write"]}).status == 422
    chatter = new_key(world, scopes=["keys:mint", "chat:write"])
    assert minted(world, chatter["secret"])["scopes"] == ["chat:write"]
    for fields, status in (({"scopes": ["models:read"]}, 403), ({"scopes": ["chat:write"]}, 201)):
        asked = MINT | fields
        assert world.ask("POST", "/api/v1/keys/actions/mint", asked, key=chatter["secret"]).status == status
    for scopes, status in ((["keys:mint"], 422), (["keys:write", "chat:write"], 403)):
        other = new_key(world, scopes=scopes)
        assert world.ask("POST", "/api/v1/keys/actions/mint", MINT, key=other["secret"]).status == status


def test_it_is_not_wider_than_the_key_that_mints_it() -> None:
    """But for the IP ranges, which are a server's; and it belongs to the same team."""
    world = new_world()
    team = new_team(world)
    bounds: dict[str, Any] = {"models": ["sim/chat", "sim/b"], "ip_ranges": ["203.0.113.0/24"], "team_id": team}
    maker = new_key(world, scopes=["keys:mint", "chat:write"], **bounds)

    def mint(**fields: Any) -> Any:
        return world.ask("POST", "/api/v1/keys/actions/mint", MINT | fields, key=maker["secret"], headers=HOME)

    assert mint(models=["sim/chat", "sim/c"]).status == 403
    made = mint(ip_ranges=["198.51.100.9"]).data
    assert (made["team_id"], made["ip_ranges"]) == (team, ["198.51.100.9"])
    assert mint().data["ip_ranges"] is None
    soon = str(world.clock.now() + timedelta(minutes=9))
    ending = new_key(world, scopes=["keys:mint", "chat:write"], expires_at=soon)
    assert world.ask("POST", "/api/v1/keys/actions/mint", MINT, key=ending["secret"]).status == 403


def test_it_can_be_revoked_and_neither_changed_nor_rotated() -> None:
    """Else it would outlive its minutes, or get away from its budget."""
    world = new_world()
    key = minted(world)
    path = f"/api/v1/keys/{key['id']}"
    changed = world.ask("PATCH", path, {"expires_at": None}, headers={"if-match": "*"})
    assert (changed.status, changed.error["code"]) == (409, "key_not_changeable")
    assert world.ask("POST", f"{path}/actions/rotate", {}).error["code"] == "key_not_changeable"
    assert world.ask("DELETE", path).status == 204
    assert chat(world, key["secret"], origin=PAGE).status == 401


def test_lists_are_of_one_kind() -> None:
    """Of servers' keys, where nothing is said: there may be far more of browsers'."""
    world = new_world()
    server, browser = new_key(world), minted(world)

    def listed(query: str = "") -> list[str]:
        return [key["id"] for key in world.ask("GET", f"/api/v1/keys{query}").body["data"]]

    assert listed() == listed("?kind=server")
    assert set(listed()) == {server["id"], world.key.principal.key_id}
    assert listed("?kind=browser") == [browser["id"]]
    assert listed("?kind=person") == []
    assert world.ask("GET", "/api/v1/keys?kind=all").status == 400


@pytest.mark.parametrize(
    "fields",
    [
        *({"minutes": wrong} for wrong in (0, 61, "5", 1.5, None)),
        *({"budget_nano_usd": wrong} for wrong in (0, -1, 2**53 + 1, "5")),
        *({"end_user": wrong} for wrong in ("", "x" * 129, "a\nb", 5)),
        *({"models": []}, {"models": None}),
        *({"origins": wrong} for wrong in ([], None, ["*"], ["null"], ["https://a.example/"], ["https://A.example"])),
        *({"origins": [wrong]} for wrong in ("http://a.example", "https://a.example:443", "https://a@b.c", "a.b")),
        *({"scopes": []}, {"expires_at": None}),
    ],
    ids=str,
)  # fmt: skip
def test_a_key_that_cannot_be_minted(fields: dict[str, Any]) -> None:
    """Each of its bounds must be said, and be one."""
    assert new_world().ask("POST", "/api/v1/keys/actions/mint", MINT | fields).status == 400


@pytest.mark.parametrize("missing", sorted(MINT))
def test_every_bound_must_be_said(missing: str) -> None:
    """There is no default that would be safe for everybody."""
    body = {name: value for name, value in MINT.items() if name != missing}
    assert new_world().ask("POST", "/api/v1/keys/actions/mint", body).status == 400


def test_budgets_of_ended_keys_are_deleted() -> None:
    """By the daily work, and whenever another key is minted; not before what was under way is settled. Keys stay."""
    world = new_world()
    first = minted(world)
    by_hand = {"scope": {"type": "key", "id": first["id"]}, "window": "day", "limit_nano_usd": 5}
    kept = {"scope": {"type": "key", "id": world.key.principal.key_id}, "window": "day", "limit_nano_usd": 5}
    for body in (by_hand, kept):
        assert world.ask("POST", "/api/v1/budgets", body).status == 201
    world.clock.advance(minutes=15)
    assert run(browser_keys.purge(world.parts)) == 0
    world.clock.advance(seconds=SETTLING.total_seconds() + 1)
    changes = len(world.gates.changes)
    assert run(browser_keys.purge(world.parts)) == 2
    assert run(browser_keys.purge(world.parts)) == 0
    assert len(world.gates.changes) == changes + 1
    assert [budget["scope"]["id"] for budget in budgets(world)] == [world.key.principal.key_id]
    minted(world)
    world.clock.advance(hours=4)
    last = minted(world)
    assert [budget["scope"]["id"] for budget in budgets(world)] == [last["id"], world.key.principal.key_id]
    assert world.ask("GET", f"/api/v1/keys/{first['id']}").status == 200


def test_there_are_only_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate must know each budget. They take no place from those made by hand; a refusal leaves nothing behind."""
    monkeypatch.setattr(rule_store, "MOST_MINTED", 2)
    monkeypatch.setattr("routes.api.budgets.BUDGET", replace(BUDGET, table=replace(BUDGET.table, most=1)))
    world = new_world()
    minted(world), minted(world)
    refused = world.ask("POST", "/api/v1/keys/actions/mint", MINT)
    assert (refused.status, refused.error["code"]) == (422, "too_many_browser_keys")
    assert len(world.ask("GET", "/api/v1/keys?kind=browser").body["data"]) == len(budgets(world)) == 2
    body = {"scope": {"type": "org"}, "window": "day", "limit_nano_usd": 10**12}
    assert [world.ask("POST", "/api/v1/budgets", body).status for _ in range(2)] == [201, 422]
    world.clock.advance(hours=4)
    minted(world)


def test_what_kv_knows_of_it_binds_it_too() -> None:
    """An isolate that reads the account from KV, and not from the store."""
    world = new_world()
    key = minted(world)
    for _ in range(2):
        assert chat(world, key["secret"], origin=PAGE).status == 200
    assert any(
        json.loads(text)[2][4] == "browser_key" for text in world.kv.texts.values() if text.startswith(f"[{FORM},")
    )
    cold(world)
    assert chat(world, key["secret"], origin=EVIL).status == 403
    assert chat(world, key["secret"], "sim/other", origin=PAGE).status == 404
    assert chat(world, key["secret"], origin=PAGE).status == 200
