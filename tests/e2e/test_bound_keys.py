"""Keys that are bound: to models, to addresses, to a browser's page. On the real runtime, with the real store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.shapes import assert_error

PAGE = "https://app.example"
HOME = {"cf-connecting-ip": "203.0.113.7"}
ELSEWHERE = {"cf-connecting-ip": "198.51.100.7"}
MINT: dict[str, Any] = {
    "end_user": "ann",
    "minutes": 5,
    "budget_nano_usd": 10**9,
    "models": ["sim/chat"],
    "origins": [PAGE],
}


def mint(headgate: Headgate, **fields: Any) -> dict[str, Any]:
    answer = headgate.post("/api/v1/keys/actions/mint", MINT | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def chat(headgate: Headgate, key: str, model: str = "sim/chat", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return headgate.as_key(key).call("POST", "/v1/chat/completions", json=chat_body(model), headers=named)


def test_a_key_bound_to_models(headgate: Headgate) -> None:
    """Another model does not exist for it: neither in a call nor in the lists, which name what it is bound to."""
    key = headgate.new_key(models=["sim/chat", "sim/not-listed"])
    own = headgate.as_key(key.secret)

    assert own.chat("sim/chat").status_code == 200
    assert assert_error(own.chat("sim/other"), 404, openai=True)["code"] == "model_not_found"
    assert headgate.chat("sim/other").status_code == 200
    assert [model["id"] for model in own.get("/v1/models").json()["data"]] == ["sim/chat", "sim/not-listed"]
    assert_error(own.get("/v1/models/sim/other"), 404, openai=True)


def test_a_key_bound_to_ip_ranges(headgate: Headgate) -> None:
    """It works from there alone, on both APIs, and a change of its ranges holds at once."""
    key = headgate.new_key(ip_ranges=["203.0.113.0/24", "2001:db8::/32"], scopes=["chat:write", "keys:read"])
    own = headgate.as_key(key.secret)

    assert chat(headgate, key.secret, **HOME).status_code == 200
    assert chat(headgate, key.secret, cf_connecting_ip="2001:db8:7::1").status_code == 200
    assert assert_error(chat(headgate, key.secret, **ELSEWHERE), 403, openai=True)["code"] == "ip_not_allowed"
    assert own.call("GET", "/api/v1/keys", headers=HOME).status_code == 200
    assert_error(own.call("GET", "/api/v1/keys", headers=ELSEWHERE), 403, openai=False)

    path = f"/api/v1/keys/{key.id}"
    assert headgate.patch(path, {"ip_ranges": ["198.51.100.0/24"]}, if_match="*").status_code == 200
    assert chat(headgate, key.secret, **ELSEWHERE).status_code == 200
    assert chat(headgate, key.secret, **HOME).status_code == 403
    assert headgate.patch(path, {"ip_ranges": None}, if_match="*").json()["data"]["ip_ranges"] is None
    assert chat(headgate, key.secret, **HOME).status_code == 200


def test_a_bound_key_makes_none_that_is_wider(headgate: Headgate) -> None:
    """Where nothing is said, its bounds are the new key's; a rotated key keeps them."""
    scopes = ["keys:read", "keys:write", "chat:write", "embeddings:write", "models:read"]
    maker = headgate.as_key(headgate.new_key(models=["sim/chat"], scopes=scopes).secret)

    made = maker.new_key()
    assert made.data["models"] == ["sim/chat"]
    assert_error(maker.post("/api/v1/keys", {"name": "x", "models": ["sim/chat", "sim/b"]}), 403, openai=False)
    assert_error(maker.patch(f"/api/v1/keys/{made.id}", {"models": None}, if_match="*"), 403, openai=False)
    rotated = headgate.post(f"/api/v1/keys/{made.id}/actions/rotate", {}).json()["data"]
    assert rotated["models"] == ["sim/chat"]
    assert_error(chat(headgate, rotated["secret"], "sim/other"), 404, openai=True)


def test_a_browsers_key(headgate: Headgate) -> None:
    """Its page may call its model and read the answers, errors included; no other page and no other model."""
    key = mint(headgate)

    answer = chat(headgate, key["secret"], origin=PAGE)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["vary"] == "origin"
    refused = chat(headgate, key["secret"], "sim/other", origin=PAGE)
    assert_error(refused, 404, openai=True)
    assert refused.headers["access-control-allow-origin"] == PAGE
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        other = chat(headgate, key["secret"], **headers)
        assert assert_error(other, 403, openai=True)["code"] == "origin_not_allowed"
        assert "access-control-allow-origin" not in other.headers
    managing = headgate.as_key(key["secret"]).call("GET", "/api/v1/keys", headers={"origin": PAGE})
    assert_error(managing, 403, openai=False)
    [record] = headgate.records_when(1, key_id=key["id"])
    assert record["model"] == "sim/chat"


def test_a_browser_asks_before_it_calls(headgate: Headgate) -> None:
    """The preflight of a page is answered without a key, for the AI API alone, and without leave to send cookies."""
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}

    answer = headgate.http.options(f"{headgate.base_url}/v1/chat/completions", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in answer.headers
    closed = headgate.http.options(f"{headgate.base_url}/api/v1/keys", headers=asked)
    assert closed.status_code == 403
    assert "access-control-allow-origin" not in closed.headers


def test_the_budget_of_a_browsers_key(own_headgate: Headgate) -> None:
    """It holds from the first call on, for that key alone."""
    poor, rich = mint(own_headgate, budget_nano_usd=1), mint(own_headgate)

    assert assert_error(chat(own_headgate, poor["secret"], origin=PAGE), 402, openai=True)["code"] == "budget_exceeded"
    assert chat(own_headgate, rich["secret"], origin=PAGE).status_code == 200
    budgets = own_headgate.get("/api/v1/budgets").json()["data"]
    assert {budget["scope"]["id"] for budget in budgets} == {poor["id"], rich["id"]}
    assert {budget["window"] for budget in budgets} == {"total"}


def test_minting_at_the_same_time(own_headgate: Headgate) -> None:
    """Each gets its key and its budget."""
    with ThreadPoolExecutor(6) as pool:
        keys = list(pool.map(lambda _: mint(own_headgate), range(6)))

    assert len({key["id"] for key in keys}) == 6
    budgets = own_headgate.get("/api/v1/budgets").json()["data"]
    assert {budget["scope"]["id"] for budget in budgets} == {key["id"] for key in keys}


def test_minting_needs_its_own_permission(headgate: Headgate) -> None:
    """A key that may mint can make no other key, and one that makes keys can't mint without it."""
    minter = headgate.as_key(headgate.new_key(scopes=["keys:mint", "chat:write"]).secret)
    maker = headgate.as_key(headgate.new_key(scopes=["keys:write", "chat:write"]).secret)

    assert mint(minter)["scopes"] == ["chat:write"]
    assert_error(minter.post("/api/v1/keys", {"name": "x", "scopes": ["chat:write"]}), 403, openai=False)
    assert_error(maker.post("/api/v1/keys/actions/mint", MINT), 403, openai=False)
    assert_error(minter.post("/api/v1/keys/actions/mint", MINT | {"scopes": ["models:read"]}), 403, openai=False)


def test_a_browsers_key_ends(headgate: Headgate) -> None:
    """It can be revoked, and neither changed nor rotated; lists tell the kinds apart."""
    key = mint(headgate)
    path = f"/api/v1/keys/{key['id']}"

    assert_error(headgate.patch(path, {"expires_at": None}, if_match="*"), 409, openai=False)
    assert_error(headgate.post(f"{path}/actions/rotate", {}), 409, openai=False)
    assert key["id"] in {one["id"] for one in headgate.get("/api/v1/keys", kind="browser").json()["data"]}
    assert key["id"] not in {one["id"] for one in headgate.all_pages("/api/v1/keys", limit=100)}
    assert headgate.delete(path).status_code == 204
    assert_error(chat(headgate, key["secret"], origin=PAGE), 401, openai=True)


def test_reporting_a_leaked_key(headgate: Headgate) -> None:
    """Whoever holds it ends it at once, with all that was minted with it; nobody is told whether it was one."""
    maker = headgate.new_key(scopes=["keys:mint", "chat:write"])
    stolen = mint(headgate.as_key(maker.secret))
    assert headgate.as_key(maker.secret).chat("sim/chat").status_code == 200
    path = f"{headgate.base_url}/api/v1/keys/actions/report_leak"

    answers = [headgate.http.post(path, json={"key": text}) for text in (maker.secret, maker.secret, "hg_nonsense")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 3
    assert_error(headgate.as_key(maker.secret).chat("sim/chat"), 401, openai=True)
    assert_error(chat(headgate, stolen["secret"], origin=PAGE), 401, openai=True)
    shown = headgate.get(f"/api/v1/keys/{maker.id}").json()["data"]
    assert shown["leaked_at"] == shown["revoked_at"] is not None


@pytest.mark.parametrize("level", ["team", "user"])
def test_rules_for_teams_and_people(headgate: Headgate, level: str) -> None:
    """For each of them they can be made; for one, only where there is one."""
    scope = {"type": level, "id": "*"}
    made = headgate.post("/api/v1/budgets", {"scope": scope, "window": "total", "limit_nano_usd": 10**15})
    assert made.status_code == 201
    assert headgate.delete(f"/api/v1/budgets/{made.json()['data']['id']}").status_code == 204
    unknown = {"type": level, "id": "01900000-0000-7000-8000-000000000000"}
    answer = headgate.post("/api/v1/budgets", {"scope": unknown, "window": "total", "limit_nano_usd": 5})
    assert_error(answer, 422, openai=False)
