"""Two organisations in one deployment: neither can see, use or change what is the other's."""

from __future__ import annotations

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.shapes import assert_error


def test_keys_of_another_organisation(headgate: Headgate, own_headgate: Headgate) -> None:
    """Another organisation's key is a 404, as if it did not exist, for every method; and it is not listed."""
    foreign = headgate.new_key()
    path = f"/api/v1/keys/{foreign.id}"

    assert_error(own_headgate.get(path), 404, openai=False)
    assert_error(own_headgate.delete(path), 404, openai=False)
    assert_error(own_headgate.patch(path, {"name": "mine"}, if_match=foreign.etag), 404, openai=False)
    assert_error(own_headgate.post(f"{path}/actions/rotate", {}), 404, openai=False)
    assert foreign.id not in own_headgate.get("/api/v1/keys").text
    assert headgate.get(path).json()["data"]["revoked_at"] is None


def test_models_of_another_organisation(headgate: Headgate, own_headgate: Headgate) -> None:
    """The same name may mean a model of each, or of one alone."""
    name = letters()
    body = {"provider": "sim", "upstream_model": "chat-chunks2"}
    assert headgate.put(f"/api/v1/models/{name}", body).status_code == 201

    assert_error(own_headgate.get(f"/api/v1/models/{name}"), 404, openai=False)
    assert_error(own_headgate.delete(f"/api/v1/models/{name}"), 404, openai=False)
    assert_error(own_headgate.chat(name), 404, openai=True)
    assert_error(own_headgate.get(f"/v1/models/{name}"), 404, openai=True)
    assert name not in [model["id"] for model in own_headgate.get("/v1/models").json()["data"]]

    other = {"provider": "sim", "upstream_model": "chat-chunks5"}
    assert own_headgate.put(f"/api/v1/models/{name}", other).status_code == 201
    assert headgate.chat(name).json()["usage"]["completion_tokens"] == 2
    assert own_headgate.chat(name).json()["usage"]["completion_tokens"] == 5
    assert headgate.delete(f"/api/v1/models/{name}").status_code == 204
    assert own_headgate.chat(name).status_code == 200


def test_usage_of_another_organisation(headgate: Headgate, own_headgate: Headgate) -> None:
    """Usage is told to its own organisation only, whatever the filter asks for."""
    model = sim_model()
    key = headgate.new_key()
    headgate.as_key(key.secret).chat(model)

    assert headgate.record(model)["key_id"] == key.id
    for filters in ({}, {"model": model}, {"key_id": key.id}):
        assert own_headgate.records(**filters) == []
        assert own_headgate.get("/api/v1/usage", **filters).json()["data"] == []


@pytest.mark.parametrize("use", ["chat", "manage"])
def test_an_idempotency_key_is_an_organisations_own(headgate: Headgate, own_headgate: Headgate, use: str) -> None:
    """Two organisations that happen to send the same Idempotency-Key do not get each other's answers."""
    repeat = f"shared-{letters()}"
    first = headgate.post("/api/v1/keys", {"name": use}, idempotency_key=repeat)
    second = own_headgate.post("/api/v1/keys", {"name": use}, idempotency_key=repeat)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["data"]["secret"] != second.json()["data"]["secret"]
    assert "idempotency-replayed" not in second.headers
