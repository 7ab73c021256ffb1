"""What every answer has, and what load balancers ask."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.scripted import ScriptedUpstream

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_alive(headgate: Headgate) -> None:
    """/livez says that the isolate runs, to anyone."""
    answer = headgate.http.get(f"{headgate.base_url}/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready(headgate: Headgate) -> None:
    """/readyz tries every dependency and says how each is."""
    answer = headgate.http.get(f"{headgate.base_url}/readyz")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["checks"] == {"database": "ok", "gate": "ok"}


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/docs", "/openapi.json", "/v1/models", "/api/v1/keys", "/nothing"]
)
def test_head(headgate: Headgate, path: str) -> None:
    """HEAD answers what GET would, without the body."""
    head, get = headgate.call("HEAD", path), headgate.call("GET", path)

    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


def every_kind_of_answer(headgate: Headgate, upstream: ScriptedUpstream) -> list[httpx.Response]:
    key = headgate.new_key()
    path, repeat = f"/api/v1/keys/{key.id}", letters()
    return [
        headgate.get("/livez"),
        headgate.get("/docs"),
        headgate.get("/nothing"),
        headgate.get("/v1/nothing"),
        headgate.call("HEAD", "/livez"),
        headgate.call("DELETE", "/livez"),
        headgate.as_key("wrong").get("/api/v1/keys"),
        headgate.as_key(key.secret).get("/api/v1/keys"),
        headgate.chat(sim_model()),
        headgate.chat(sim_model(), stream=True),
        headgate.chat(sim_model("late2"), stream=True),
        headgate.chat(sim_model("err429")),
        headgate.chat(sim_model("cut1")),
        headgate.chat(upstream.answers(b"<html>", content_type="text/html", status="500 Oops")),
        headgate.chat("nobody/x"),
        headgate.chat("sim/chat", messages=1),
        headgate.call("POST", "/v1/chat/completions", content=b"{", headers={"content-type": "application/json"}),
        headgate.call("POST", "/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"}),
        headgate.call("POST", "/api/v1/keys", json={"name": "x" * 100_000}),
        headgate.call("GET", "/v1/models/" + "x" * 9000),
        headgate.call("GET", path, headers={"if-none-match": key.etag}),
        headgate.post("/api/v1/keys", {"name": "x"}, idempotency_key=repeat),
        headgate.post("/api/v1/keys", {"name": "x"}, idempotency_key=repeat),
        headgate.delete(path),
    ]


def test_every_answer_has_a_request_id(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Each answer, whatever its kind, has an id of its own, and one under the name that SDKs read."""
    answers = every_kind_of_answer(headgate, upstream)

    ids = [answer.headers["x-headgate-request-id"] for answer in answers]
    assert len(set(ids)) == len(answers)
    assert all(UUID7.fullmatch(one) for one in ids)
    assert all(answer.headers["x-request-id"] for answer in answers)


def test_a_client_does_not_choose_the_id(headgate: Headgate) -> None:
    """An id that a client sends is not taken for ours."""
    headers = {"x-request-id": "mine", "x-headgate-request-id": "mine"}

    answer = headgate.call("POST", "/v1/chat/completions", json=chat_body(sim_model()), headers=headers)

    assert answer.headers["x-headgate-request-id"] != "mine"
