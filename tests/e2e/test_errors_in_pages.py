"""A page of another origin can read every error that its request can meet, from the first byte to the last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from lib.secrets.api_keys import new_key
from tests.e2e.conftest import LISTED
from tests.e2e.support.headgate import Headgate, Json, chat_body
from tests.e2e.support.names import sim_model

PAGE = "https://app.example"
CHAT = "/v1/chat/completions"
NOWHERE = "203.0.113.77"  # a network of this file's own


@pytest.fixture(scope="module")
def models() -> dict[str, str]:
    """Models that a browser's key may call, by what their provider does."""
    return {"works": sim_model(), "refuses": sim_model("err500")}


@pytest.fixture(scope="module")
def key(headgate: Headgate, models: dict[str, str]) -> str:
    return minted(headgate, list(models.values()))


def minted(headgate: Headgate, models: list[str], **fields: Any) -> str:
    body: Json = {"end_user": "ann", "minutes": 5, "budget_nano_usd": 10**9, "models": models, "origins": [PAGE]}
    answer = headgate.post("/api/v1/keys/actions/mint", body | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["secret"])


def readable(answer: httpx.Response, origin: str) -> bool:
    """Tell whether a browser shows it to a page of this origin that sent no cookie."""
    return (
        answer.headers.get("access-control-allow-origin") == origin
        and "origin" in answer.headers["vary"]
        and "retry-after" in answer.headers["access-control-expose-headers"]
    )


SOURCES: dict[str, tuple[int, str, dict[str, Any]]] = {
    "no JSON": (400, "", {"content": b"{", "headers": {"content-type": "application/json"}}),
    "a wrong field": (400, "", {"json": {"model": 5}}),
    "a wrong query": (400, "GET /v1/models?%ff", {}),
    "no key": (401, "", {"headers": {"authorization": ""}}),
    "a nonsense key": (401, "", {"headers": {"authorization": "Bearer x"}}),
    "an unknown key": (401, "", {"headers": {"authorization": f"Bearer {new_key()}"}}),
    "a path that is not": (404, "GET /v1/nothing", {}),
    "a model that it may not call": (404, "", {"json": chat_body("sim/other")}),
    "a method that is not": (405, "DELETE /v1/models", {}),
    "too large a body": (413, "", {"content": b" " * (33 << 20), "headers": {"content-type": "application/json"}}),
    "an endless address": (414, "GET /v1/" + "a" * 9000, {}),
    "no JSON by its type": (415, "", {"content": b"x", "headers": {"content-type": "text/plain"}}),
    "the provider's own error": (500, "", {"model": "refuses"}),
    "nothing wrong": (200, "", {"model": "works"}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_with_a_browsers_key(headgate: Headgate, key: str, models: dict[str, str], source: str) -> None:
    """It reads each of them; another page reads those that are the same for everybody, and no answer to a key."""
    status, target, more = SOURCES[source]
    method, _, path = (target or f"POST {CHAT}").partition(" ")
    body = {"json": chat_body(models[more["model"]])} if "model" in more else {}
    if method == "POST" and not {"json", "content", "model"} & set(more):
        body = {"json": chat_body(models["works"])}
    more = {name: value for name, value in more.items() if name != "model"} | body
    for origin in (PAGE, "https://evil.example"):
        headers = {"origin": origin, **more.get("headers", {})}
        answer = headgate.as_key(key).call(method, path, **{**more, "headers": headers})
        assert "access-control-allow-credentials" not in answer.headers
        if origin == PAGE:
            assert (answer.status_code, readable(answer, PAGE)) == (status, True), answer.text
        elif readable(answer, origin):
            assert answer.status_code == status != 200


def test_limits_budgets_and_the_shield(headgate: Headgate, own_headgate: Headgate, models: dict[str, str]) -> None:
    """402 and 429 too, whoever says it: the gate, what an isolate remembers of it, and the shield."""
    body, page = {"json": chat_body(models["works"])}, {"origin": PAGE}
    poor = headgate.as_key(minted(headgate, [models["works"]], budget_nano_usd=1))
    spent = poor.call("POST", CHAT, headers=page, **body)
    assert (spent.status_code, readable(spent, PAGE)) == (402, True)

    limit = {"scope": {"type": "org"}, "unit": "requests", "limit": 1, "window_seconds": 3600}
    limited = own_headgate.as_key(minted(own_headgate, [models["works"]]))
    assert own_headgate.post("/api/v1/limits", limit).status_code == 201
    answers = [limited.call("POST", CHAT, headers=page, **body) for _ in range(3)]
    assert [(one.status_code, readable(one, PAGE)) for one in answers] == [(200, True), (429, True), (429, True)]

    flood = {**page, "cf-connecting-ip": NOWHERE}
    with ThreadPoolExecutor(40) as pool:  # faster than the shield's rate, also where the store is far away
        strangers = [headgate.as_key(new_key()) for _ in range(40)]
        refused = list(pool.map(lambda stranger: stranger.call("POST", CHAT, headers=flood, **body), strangers))
    assert {one.status_code for one in refused} == {401, 429}
    assert all(readable(one, PAGE) for one in refused)


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/api/v1/nothing", "/api/v1/keys?limit=x", f"/api/v1/keys/{9000 * 'a'}"]
)
def test_a_page_of_a_listed_origin(headgate: Headgate, path: str) -> None:
    """It reads errors of both APIs, with its cookies."""
    for own in (headgate, headgate.as_key("x")):
        answer = own.call("GET", path, headers={"origin": LISTED})
        assert answer.status_code >= 400
        assert readable(answer, LISTED)
        assert answer.headers["access-control-allow-credentials"] == "true"
