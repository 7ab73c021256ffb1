"""An organisation's own models: names of its own that lead to a provider's model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from lib.kernel.money import with_dollars
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider

BODY: dict[str, Any] = {"provider": "sim", "upstream_model": "chat-chunks3"}
PRICE = {
    "input_nano_usd_per_token": 5, "output_nano_usd_per_token": 11, "cached_input_nano_usd_per_token": 2,
    "per_request_nano_usd": 300,
}  # fmt: skip


def path_of(name: str) -> str:
    return f"/api/v1/models/{name}"


def test_making_and_replacing(headgate: Headgate) -> None:
    """PUT makes a model (201) or replaces it (200), and either way it is what GET shows."""
    name = letters()

    made = headgate.put(path_of(name), {**BODY, "price": PRICE})
    assert made.status_code == 201
    data = made.json()["data"]
    assert (data["id"], data["provider"], data["upstream_model"], data["price"]) == (
        name,
        "sim",
        "chat-chunks3",
        with_dollars(PRICE),
    )
    assert data["price_version"]
    shown = headgate.get(path_of(name))
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])

    replaced = headgate.put(path_of(name), {"provider": "sim", "upstream_model": "chat-chunks4"})
    assert replaced.status_code == 200
    data = replaced.json()["data"]
    assert (data["upstream_model"], data["price"], data["price_version"]) == ("chat-chunks4", None, None)
    assert data["created_at"] == made.json()["data"]["created_at"]
    assert replaced.headers["etag"] != made.headers["etag"]
    assert headgate.get(path_of(name)).json() == replaced.json()


def test_conditions(headgate: Headgate) -> None:
    """`If-None-Match: *` only makes, `If-Match` only replaces the version it names, and what does not hold is a 412."""
    name = letters()

    assert_error(headgate.put(path_of(name), BODY, if_match='"1"'), 412, openai=False)
    made = headgate.put(path_of(name), BODY, if_none_match="*")
    assert made.status_code == 201
    assert_error(headgate.put(path_of(name), BODY, if_none_match="*"), 412, openai=False)
    changed = headgate.put(path_of(name), BODY, if_match=made.headers["etag"])
    assert changed.status_code == 200
    assert_error(headgate.put(path_of(name), BODY, if_match=made.headers["etag"]), 412, openai=False)
    assert_error(headgate.delete(path_of(name), if_match=made.headers["etag"]), 412, openai=False)
    assert_error(headgate.put(path_of(name), BODY, if_match="nonsense"), 400, openai=False)
    unchanged = headgate.call("GET", path_of(name), headers={"if-none-match": changed.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert headgate.delete(path_of(name), if_match=changed.headers["etag"]).status_code == 204


def test_conditions_at_the_same_time(headgate: Headgate) -> None:
    """Of several that would make a model exactly one does; of several changes to a version exactly one is made."""
    path = path_of(letters())
    with ThreadPoolExecutor(5) as pool:
        made = list(pool.map(lambda _: headgate.put(path, BODY, if_none_match="*"), range(5)))
        tag = headgate.get(path).headers["etag"]
        changed = list(pool.map(lambda _: headgate.put(path, BODY, if_match=tag), range(5)))

    assert sorted(answer.status_code for answer in made) == [201, 412, 412, 412, 412]
    assert sorted(answer.status_code for answer in changed) == [200, 412, 412, 412, 412]


@pytest.mark.parametrize("name", ["gpt", "team/gpt-4.1:fast", "a@b_c-d.e", "anthropic/claude-opus", "9", "x" * 128])
def test_using_a_model(headgate: Headgate, sim: SimulatedProvider, name: str) -> None:
    """From the answer on the name works, also one that hides a provider's; each change counts at the next call."""
    own = f"{name[:117]}.{letters()}"
    for chunks in (3, 4, 5):
        body = {"provider": "sim", "upstream_model": f"chat-chunks{chunks}"}
        assert headgate.put(path_of(own), body).status_code in {200, 201}
        answer = headgate.chat(own)
        assert answer.json()["usage"]["completion_tokens"] == chunks
        assert answer.json()["choices"][0]["message"]["content"] == sim.text(chunks)
    streamed = headgate.chat(own, stream=True)
    assert streamed.status_code == 200
    assert len(headgate.records(model=own)) == 4

    assert headgate.delete(path_of(own)).status_code == 204
    assert_error(headgate.get(path_of(own)), 404, openai=False)
    gone = headgate.chat(own)
    assert gone.status_code == 404
    assert gone.json()["error"]["code"] == "model_not_found"
    assert len(headgate.records(model=own)) == 4


def test_a_name_that_hides_a_providers(own_headgate: Headgate) -> None:
    """An organisation's own model goes before the provider's of the same name; without it the provider's is back."""
    assert own_headgate.chat("sim/chat-chunks9").json()["usage"]["completion_tokens"] == 9
    own_headgate.put(path_of("sim/chat-chunks9"), BODY)
    assert own_headgate.chat("sim/chat-chunks9").json()["usage"]["completion_tokens"] == 3
    own_headgate.delete(path_of("sim/chat-chunks9"))
    assert own_headgate.chat("sim/chat-chunks9").json()["usage"]["completion_tokens"] == 9


def test_a_path_may_be_encoded(headgate: Headgate) -> None:
    """A slash in a name may stand as it is or percent-encoded."""
    name = f"a/{letters()}"
    assert headgate.put(path_of(quote(name, safe="")), BODY).status_code == 201

    assert headgate.get(path_of(name)).json()["data"]["id"] == name
    assert headgate.get(f"/v1/models/{quote(name, safe='')}").json()["id"] == name


def test_lists(own_headgate: Headgate) -> None:
    """Own models are listed by name, page by page, and stand in OpenAI's list beside the providers'."""
    names = sorted(f"{letter}-{letters()}" for letter in "gcabfed")
    for name in names[::-1]:
        own_headgate.put(path_of(name), BODY)

    assert [model["id"] for model in own_headgate.get("/api/v1/models").json()["data"]] == names
    assert [model["id"] for model in own_headgate.all_pages("/api/v1/models", limit=3)] == names
    assert own_headgate.get("/api/v1/models", limit=7).json()["meta"]["next_cursor"] is None
    listed = {model["id"]: model for model in own_headgate.get("/v1/models").json()["data"]}
    assert set(names) < set(listed)
    assert listed[names[0]]["owned_by"] == "sim"
    assert "sim/chat" in listed
    assert own_headgate.get(f"/v1/models/{names[0]}").json() == listed[names[0]]


WRONG: list[dict[str, Any]] = [
    {}, {"provider": "sim"}, {"upstream_model": "chat"}, {**BODY, "provider": "SIM"}, {**BODY, "provider": ""},
    {**BODY, "upstream_model": ""}, {**BODY, "upstream_model": "x" * 257}, {**BODY, "upstream_model": 1},
    {**BODY, "x": 1}, {**BODY, "price": 5}, {**BODY, "price": {}},
    {**BODY, "price": {**PRICE, "input_nano_usd_per_token": -1}},
    {**BODY, "price": {**PRICE, "input_nano_usd_per_token": 1.5}}, {**BODY, "price": {**PRICE, "per_image": 1}},
    {**BODY, "price": {**PRICE, "output_nano_usd_per_token": 10**9 + 1}},
    {**BODY, "price": {"input_nano_usd_per_token": 1}}, {**BODY, "price": {"per_request_nano_usd": 1}},
    {**BODY, "price": {**PRICE, "per_request_nano_usd": -1}},
    {**BODY, "price": {**PRICE, "per_request_nano_usd": 10**12 + 1}},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=str)
def test_a_model_that_cannot_be(headgate: Headgate, body: dict[str, Any]) -> None:
    """Missing, unknown and wrong fields are a 400, and nothing is made."""
    name = letters()

    assert_error(headgate.put(path_of(name), body), 400, openai=False)
    assert_error(headgate.get(path_of(name)), 404, openai=False)


@pytest.mark.parametrize(
    "name", ["-a", ".a", "a b", "a%20b", "é", "x" * 129, "a?b".replace("?", "%3F"), "a%00b", "%2F"]
)
def test_a_name_that_cannot_be(headgate: Headgate, name: str) -> None:
    """A name has up to 128 plain characters."""
    assert headgate.put(path_of(name), BODY).status_code in {400, 404}


def test_a_provider_that_is_not_there(headgate: Headgate) -> None:
    """A provider that is not configured breaks a rule, not the form: 422, and it says which there are."""
    error = assert_error(headgate.put(path_of(letters()), {**BODY, "provider": "acme"}), 422, openai=False)

    assert "openai" in str(error["message"])
    assert "sim" in str(error["message"])
