"""`/v1/…`, from request to answer: chat completions, embeddings and models."""

from __future__ import annotations

import json

import pytest

from lib.gateway.streams.upstream import UpstreamTimeout
from tests.unit.gateway.fake_upstream import EVENTS, FakeAnswer
from tests.unit.world import PROVIDERS, World, new_world

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
BODY = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}


def sent(world: World) -> object:
    """Return the body of the one call to the provider."""
    [call] = world.upstream.sent
    return json.loads(call.body)


def test_a_completion_goes_through_untouched() -> None:
    """Fields that we do not know included, both ways."""
    world = new_world()
    answer = {"id": "x", "new": {"a": [1, None]}, "choices": []}
    world.upstream.script = [FakeAnswer(pieces=[json.dumps(answer).encode()])]
    body = {**BODY, "temperature": 0.1, "brand_new": {"x": [1e300, 2**70, "é"]}}
    assert world.ask("POST", CHAT, body).body == answer
    assert sent(world) == {**body, "model": "chat"}
    assert world.upstream.sent[0].url == "http://sim.invalid/chat/completions"


@pytest.mark.parametrize("wanted", [True, False])
def test_a_stream_goes_through_with_the_usage_only_where_it_was_asked_for(wanted: bool) -> None:
    """It is charged either way."""
    world = new_world()
    finish = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    told = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    done = b"data: [DONE]\n\n"
    world.upstream.script = [FakeAnswer(headers=EVENTS, pieces=[finish + told + done])]
    options = {"stream": True, **({"stream_options": {"include_usage": True}} if wanted else {})}
    assert world.ask("POST", CHAT, {**BODY, **options}).body == finish + (told if wanted else b"") + done
    [record] = world.gates.settled
    assert (record.streamed, record.output_tokens, record.estimated) == (True, 2, False)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, {"model": "sim/chat"}, "messages"),
        (CHAT, {**BODY, "messages": []}, "messages"),
        (CHAT, {**BODY, "stream": "yes"}, "stream"),
        (EMBEDDINGS, {"model": "sim/embed"}, None),
        (EMBEDDINGS, {"input": "x"}, "model"),
    ],
)
def test_a_wrong_field_is_told_as_openai_tells_it(path: str, body: object, param: str | None) -> None:
    """400 with `param`, before anything is opened."""
    world = new_world()
    answer = world.ask("POST", path, body)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert param is None or answer.error["param"] == param
    assert (world.gates.opened, world.upstream.sent) == ([], [])


def test_an_unknown_model_is_told_as_openai_tells_it() -> None:
    """404 model_not_found."""
    answer = new_world().ask("POST", CHAT, {**BODY, "model": "gpt-99"})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")


def test_a_providers_timeout_is_told_and_settled() -> None:
    """504, and the log line has the cause."""
    world = new_world()
    world.upstream.script = [UpstreamTimeout()]
    answer = world.ask("POST", CHAT, BODY)
    assert (answer.status, answer.error["code"], answer.error["type"]) == (504, "upstream_timeout", "server_error")
    assert answer.facts["cause"] == "upstream_timeout"
    assert len(world.gates.settled) == 1


@pytest.mark.parametrize("given", ["text", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_embeddings_go_through_untouched(given: object) -> None:
    """Every form of input, and every other field, also one that means something elsewhere."""
    world = new_world()
    body = {"model": "sim/embed", "input": given, "dimensions": 3, "stream": True}
    world.upstream.script = [FakeAnswer(pieces=[b'{"usage":{"prompt_tokens":4,"total_tokens":4}}'])]
    assert world.ask("POST", EMBEDDINGS, body).status == 200
    assert sent(world) == {**body, "model": "embed"}
    [record] = world.gates.settled
    assert (record.endpoint, record.input_tokens, record.output_tokens, record.estimated) == ("embeddings", 4, 0, False)


@pytest.mark.parametrize(
    ("path", "body", "scope", "other"),
    [
        (CHAT, BODY, "chat:write", "embeddings:write"),
        (EMBEDDINGS, {"model": "sim/embed", "input": "x"}, "embeddings:write", "chat:write"),
    ],
)
def test_each_kind_of_call_has_its_scope(path: str, body: object, scope: str, other: str) -> None:
    """403 with another, and nothing is called."""
    world = new_world()
    refused = world.ask("POST", path, body, key=world.new_key(other).secret)
    assert (refused.status, refused.error["type"]) == (403, "permission_error")
    assert world.upstream.sent == []
    assert world.ask("POST", path, body, key=world.new_key(scope).secret).status == 200


def test_the_list_of_models_is_openais() -> None:
    """The organisation's own first, then those of each provider that is configured; none twice."""
    world = new_world({**PROVIDERS, "OPENAI_BASE_URL": ""})
    for name in ("smart", "sim/chat"):
        world.ask("PUT", f"/api/v1/models/{name}", {"provider": "sim", "upstream_model": "chat"})
    body = world.ask("GET", "/v1/models").body
    ids = [model["id"] for model in body["data"]]
    assert body["object"] == "list"
    assert ids[:2] == ["sim/chat", "smart"]
    assert len(ids) == len(set(ids))
    assert {"openai/gpt-4o", "sim/embed"} <= set(ids)
    assert all(set(model) == {"id", "object", "created", "owned_by"} for model in body["data"])


@pytest.mark.parametrize("there", [True, False])
def test_at_another_address_its_own_list_is_shown(there: bool) -> None:
    """What a server has is not what OpenAI has; without a list only the organisation's names are known."""
    world = new_world()
    world.ask("PUT", "/api/v1/models/smart", {"provider": "openai", "upstream_model": "llama-3"})
    if there:
        world.upstream.listing = b'{"object":"list","data":[{"id":"llama-3"},{"id":"vendor/b"}]}'
    listed = {model["id"]: model["owned_by"] for model in world.ask("GET", "/v1/models").body["data"]}
    theirs = {name: owner for name, owner in listed.items() if not name.startswith("sim/")}
    more = {"openai/llama-3": "openai", "openai/vendor/b": "openai"} if there else {}
    assert theirs == {"smart": "openai", **more}


def test_a_bound_key_is_shown_what_it_is_bound_to() -> None:
    """All that it may call, listed elsewhere or not, and nothing else."""
    world = new_world()
    world.ask("PUT", "/api/v1/models/smart", {"provider": "sim", "upstream_model": "chat"})
    names = ["smart", "sim/chat-chunks5", "openai/unlisted", "gone/x"]
    fields = {"name": "bound", "scopes": ["chat:write", "models:read"], "models": names}
    key = world.ask("POST", "/api/v1/keys", fields).data["secret"]
    shown = [model["id"] for model in world.ask("GET", "/v1/models", key=key).body["data"]]
    assert shown == ["smart", "openai/unlisted", "sim/chat-chunks5"]


def test_the_end_of_a_name_is_recorded_and_ruled_by_the_whole_name() -> None:
    """Else a budget of `sim/chat` would not see a call of `chat`."""
    world = new_world()
    rule = {"scope": {"type": "model", "id": "sim/chat"}, "unit": "requests", "limit": 1, "window_seconds": 60}
    assert world.ask("POST", "/api/v1/limits", rule).status == 201
    statuses = [world.ask("POST", CHAT, {**BODY, "model": name}).status for name in ("chat", "sim/chat", "chat")]
    assert statuses == [200, 429, 429]
    assert [record.model for record in world.gates.settled] == ["sim/chat"]
    assert world.ask("GET", "/v1/models/chat").body["id"] == "sim/chat"
    hint = world.ask("POST", CHAT, {**BODY, "model": "chat-tool"}).error["message"]
    assert hint.endswith("Did you mean sim/chat-tools or sim/chat?")


@pytest.mark.parametrize("path", [f"{CHAT}/", f"{CHAT}//", f"{EMBEDDINGS}/"])
def test_a_slash_behind_a_path_means_nothing(path: str) -> None:
    """Base URLs are written with one as often as without."""
    assert new_world().ask("POST", path, {**BODY, "input": "x"}).status == 200


def test_what_is_not_offered_is_told_as_openai_tells_it() -> None:
    """404 `unknown_url`, with what is offered."""
    answer = new_world().ask("POST", "/v1/responses", {})
    assert (answer.status, answer.error["code"], answer.error["type"]) == (404, "unknown_url", "invalid_request_error")
    assert "POST /v1/chat/completions" in answer.error["message"]


@pytest.mark.parametrize("name", ["sim/chat", "sim%2Fchat", "openai/gpt-4o", "mine"])
def test_a_model_that_can_be_used_can_be_described(name: str) -> None:
    """Slashes encoded or not, as SDKs do either."""
    world = new_world()
    world.ask("PUT", "/api/v1/models/mine", {"provider": "sim", "upstream_model": "chat"})
    answer = world.ask("GET", f"/v1/models/{name}")
    assert (answer.status, answer.body["id"]) == (200, name.replace("%2F", "/"))


def test_a_model_that_cannot_be_used_is_not_found() -> None:
    """In OpenAI's shape."""
    answer = new_world({**PROVIDERS, "OPENAI_API_KEY": ""}).ask("GET", "/v1/models/openai/gpt-4o")
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")


def test_another_organisations_model_is_not_there() -> None:
    """Neither in the list nor by name nor for use."""
    world, other = new_world(), new_world()
    other.ask("PUT", "/api/v1/models/theirs", {"provider": "sim", "upstream_model": "chat"})
    assert world.ask("GET", "/v1/models/theirs").status == 404
    assert world.ask("POST", CHAT, {**BODY, "model": "theirs"}).status == 404
