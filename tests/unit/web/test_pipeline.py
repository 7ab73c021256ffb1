"""The way of a request: the order of its stages, and what each failure looks like from outside."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lib.access.principal import Permission
from lib.gateway.callers.caller import StaleAccount
from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.dialect import HEADGATE, Dialect
from lib.http.request import Known, RawRequest
from lib.http.response import Response
from lib.kernel.errors import Unavailable
from lib.secrets import api_keys
from lib.web import pipeline
from lib.web.pipeline import MOST_DECISIONS, handle
from lib.web.route import Freshness, Handler, Route
from lib.web.router import Router
from lib.web.validate import LARGE_BYTES
from tests.seen import ROUTER
from tests.unit.fakes import NOW, FakeBody, raw_request, run
from tests.unit.world import World, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer nonsense", "Bearer hg_" + "a" * 38, "Basic dTpw", "Bearer"]
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/keys"])
def test_without_a_credible_key_the_body_is_not_read(authorization: str | None, path: str) -> None:
    """401 before a byte of the body, and before anything is asked of the store."""
    world = new_world()
    headers = {"content-type": "application/json"} | ({"authorization": authorization} if authorization else {})
    raw = raw_request("POST", path, b"not even json", headers)
    world.binding.statements.clear()
    response = run(handle(world.parts, ROUTER, raw))
    assert response.status == 401
    assert response.headers["www-authenticate"]
    assert isinstance(raw.body, FakeBody)
    assert raw.body.reads == 0
    assert world.binding.statements == []


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1", OPENAI),
        ("/v1/chat/completions", OPENAI),
        ("/v1/nothing", OPENAI),
        ("/v10", HEADGATE),
        ("/", HEADGATE),
        ("/api/v1/keys", HEADGATE),
    ],
)
def test_an_error_has_the_shape_of_the_api_that_was_called(path: str, dialect: Dialect) -> None:
    """Known path or not: OpenAI's SDKs read OpenAI's errors."""
    assert ROUTER.dialect_of(path) is dialect
    error = new_world().ask("DELETE", path, key=None).error
    assert set(error) == (
        {"message", "type", "param", "code"} if dialect is OPENAI else {"code", "message", "details", "request_id"}
    )


def test_an_endless_address_is_refused_first() -> None:
    """Before routing, in the shape of its API."""
    answer = new_world().ask("GET", "/v1/" + "a" * 9000)
    assert (answer.status, answer.error["code"]) == (414, "uri_too_long")


def test_wrong_syntax_is_told_before_the_store_is_asked() -> None:
    """A credible key and a wrong body: 400, and no query was spent."""
    world = new_world()
    world.binding.statements.clear()
    assert world.ask("POST", "/api/v1/keys", {"name": 5}).status == 400
    assert world.binding.statements == []


def test_an_unknown_key_is_refused() -> None:
    """A well-formed key that nobody made."""
    answer = new_world().ask("GET", "/api/v1/keys", key=api_keys.new_key())
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")


def test_a_key_that_has_run_out_is_refused() -> None:
    """From the very instant of its end, on both ways of checking."""
    world = new_world()
    ended = world.new_key("keys:read", "chat:write", ends=NOW + timedelta(seconds=1))
    assert world.ask("GET", "/api/v1/keys", key=ended.secret).status == 200
    assert world.ask("POST", "/v1/chat/completions", CHAT, key=ended.secret).status == 200
    world.clock.advance(seconds=1)
    assert world.ask("GET", "/api/v1/keys", key=ended.secret).status == 401
    assert world.ask("POST", "/v1/chat/completions", CHAT, key=ended.secret).status == 401


def test_a_key_without_the_scope_is_told_which_it_lacks() -> None:
    """403, with the scope's name."""
    world = new_world()
    answer = world.ask("POST", "/api/v1/keys", {"name": "x"}, key=world.new_key("keys:read").secret)
    assert (answer.status, answer.error["code"]) == (403, "permission_denied")
    assert "keys:write" in answer.error["message"]


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_the_scheme_is_case_insensitive(header: str) -> None:
    """RFC 9110, 11.1."""
    world = new_world()
    answer = world.ask("GET", "/api/v1/keys", headers={"authorization": header.format(world.key.secret)})
    assert answer.status == 200


LARGE = {**CHAT, "messages": [{"role": "user", "content": "x" * LARGE_BYTES}]}


@pytest.mark.parametrize(("body", "status", "reads"), [(CHAT, 401, 1), (LARGE, 401, 0)])
def test_a_large_body_of_somebody_unknown_is_not_read(body: dict[str, object], status: int, reads: int) -> None:
    """A key that looks right, and that nobody made."""
    world = new_world()
    headers = {"content-type": "application/json", "authorization": f"Bearer {api_keys.new_key()}"}
    raw = raw_request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
    assert run(handle(world.parts, ROUTER, raw)).status == status
    assert isinstance(raw.body, FakeBody)
    assert raw.body.reads == reads


@pytest.mark.parametrize("known_before", [True, False])
def test_a_key_that_is_revoked_while_its_body_comes_is_refused(known_before: bool) -> None:
    """Who calls is asked again when the body is there, since that may take minutes."""
    world = new_world()
    chatter = world.new_key("chat:write")
    if known_before:
        assert world.ask("POST", "/v1/chat/completions", CHAT, key=chatter.secret).status == 200
    headers = {"content-type": "application/json", "authorization": f"Bearer {chatter.secret}"}

    class Slow(FakeBody):
        async def read(self, limit: int, known: Known) -> bytes:
            text = await super().read(limit, known)
            change = "UPDATE api_keys SET revoked_at = created_at WHERE id = ?"
            world.binding.connection.execute(change, (chatter.principal.key_id,))
            world.gates.of(world.org_id).bump()
            return text

    sent = len(world.upstream.sent)
    raw = raw_request("POST", "/v1/chat/completions", b"", headers)
    raw = raw._replace(body=Slow(json.dumps(LARGE).encode()))
    assert run(handle(world.parts, ROUTER, raw)).status == 401
    assert len(world.upstream.sent) == sent


def test_a_revoked_key_is_refused_at_once_although_the_isolate_has_it_cached() -> None:
    """The gate tells that the policy changed; the account is read again and is gone."""
    world = new_world()
    chatter = world.new_key("chat:write")
    assert world.ask("POST", "/v1/chat/completions", CHAT, key=chatter.secret).status == 200
    world.binding.connection.execute(
        "UPDATE api_keys SET revoked_at = created_at WHERE id = ?", (chatter.principal.key_id,)
    )
    world.gates.of(world.org_id).bump()  # another isolate revoked it and told the gate; this one knows nothing
    sent = len(world.upstream.sent)
    assert world.ask("POST", "/v1/chat/completions", CHAT, key=chatter.secret).status == 401
    assert len(world.upstream.sent) == sent


def test_a_cached_account_costs_no_query() -> None:
    """The second request of a key asks the store nothing."""
    world = new_world()
    world.ask("POST", "/v1/chat/completions", CHAT)
    world.binding.statements.clear()
    assert world.ask("POST", "/v1/chat/completions", CHAT).status == 200
    assert world.binding.statements == []


def test_deciding_anew_is_bounded() -> None:
    """A policy that changes under each decision ends in 503 with Retry-After, not in an endless loop."""
    world, times = new_world(), 0

    async def stale(*_: object) -> Response:
        nonlocal times
        times += 1
        raise StaleAccount(1)

    response = run(handle(world.parts, Router([_route(stale)]), _asking(world)))
    assert (response.status, times) == (503, MOST_DECISIONS)
    assert response.headers["retry-after"]


def test_one_stale_decision_is_not_seen_from_outside() -> None:
    """The caller is read again, and the request goes on."""
    world, times = new_world(), 0

    async def stale_once(*_: object) -> Response:
        nonlocal times
        times += 1
        if times == 1:
            raise StaleAccount(1)
        return Response(204)

    assert run(handle(world.parts, Router([_route(stale_once)]), _asking(world))).status == 204


def test_a_store_that_is_away_is_a_503() -> None:
    """With Retry-After; the reason is in the log, not in the answer."""
    world = new_world()
    world.binding.failure = "D1_ERROR: internal error; reference = somewhere-inside"
    answer = world.ask("GET", "/api/v1/keys")
    assert (answer.status, answer.error["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert "somewhere-inside" not in json.dumps(answer.body)
    assert "somewhere-inside" in str(answer.facts["reason"])


def test_a_gate_that_is_away_lets_nothing_pass() -> None:
    """A cap that is not checked is no cap: 503, and the provider is not called."""
    world = new_world()
    world.gates.failure = Unavailable("away", code="gate_unavailable")
    answer = world.ask("POST", "/v1/chat/completions", CHAT)
    assert (answer.status, answer.error["code"]) == (503, "gate_unavailable")
    assert world.upstream.sent == []


def test_a_defect_is_raised_and_rendered_without_its_cause() -> None:
    """The worker logs it and answers with `failure`, which tells nothing."""

    async def broken(*_: object) -> Response:
        raise RuntimeError("secret detail")

    world = new_world()
    with pytest.raises(RuntimeError):
        run(handle(world.parts, Router([_route(broken)]), _asking(world)))
    response = pipeline.failure(ROUTER, raw_request("GET", "/v1/x"))
    assert isinstance(response.body, bytes)
    assert response.status == 500
    assert json.loads(response.body)["error"]["type"] == "server_error"


def test_the_log_knows_the_route_and_the_caller() -> None:
    """By template and by id: never the key."""
    world = new_world()
    facts = world.ask("GET", f"/api/v1/keys/{world.key.principal.key_id}").facts
    assert facts["route"] == "/api/v1/keys/{id}"
    assert facts["org_id"] == world.org_id
    assert facts["principal"] == f"key:{world.key.principal.key_id}"
    assert world.key.secret not in json.dumps(facts)


def test_an_error_is_in_the_log_by_its_code() -> None:
    """With all that was known until then."""
    facts = new_world().ask("GET", "/api/v1/keys/nothing").facts
    assert facts["error_code"] == "not_found"
    assert facts["route"] == "/api/v1/keys/{id}"


def test_an_idempotency_key_counts_only_where_the_route_takes_it() -> None:
    """A POST of the management API is done once; a PUT, and the AI API, do not look at the header."""
    world = new_world()
    twice = {"idempotency-key": "k"}
    first = world.ask("POST", "/api/v1/keys", {"name": "x"}, headers=twice)
    again = world.ask("POST", "/api/v1/keys", {"name": "x"}, headers=twice)
    assert first.data == again.data
    assert again.headers["idempotency-replayed"] == "true"
    world.ask("POST", "/v1/chat/completions", CHAT, headers=twice)
    world.ask("POST", "/v1/chat/completions", CHAT, headers=twice)
    assert len(world.upstream.sent) == 2


def _route(handler: Handler) -> Route:
    return Route(
        method="GET",
        path="/x",
        handler=handler,
        summary="",
        responses={},
        permission=Permission.KEYS_READ,
        freshness=Freshness.GATE,
    )


def _asking(world: World) -> RawRequest:
    return raw_request("GET", "/x", headers={"authorization": f"Bearer {world.key.secret}"})
