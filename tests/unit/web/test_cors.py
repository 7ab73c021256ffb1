"""Other origins' pages: an explicit list, no `*`, and an answer before anybody has signed in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import openai
import pytest

from lib.kernel.errors import HeadgateError, Unavailable
from lib.web import pipeline
from tests.seen import ROUTER
from tests.unit.fakes import raw_request
from tests.unit.sign_in.signed_in import OWN, new_person, of
from tests.unit.world import Answer, World, new_world

APP = "https://app.example"
SETTINGS = of(cors_origins=frozenset({APP, "http://localhost:3000"}))


def asking(world: World, path: str, **headers: str) -> Answer:
    sent = {"origin": APP, "access-control-request-method": "POST"}
    return world.ask(
        "OPTIONS", path, key=None, headers=sent | {name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/keys", "/api/v1/keys/x"])
@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_a_browser_may_ask_before_anybody_has_signed_in(path: str, origin: str) -> None:
    """It sends no credential with its question; nothing is asked of the store."""
    world = new_world(session=SETTINGS)
    wanted = "authorization, content-type, x-stainless-lang"
    answer = asking(world, path, origin=origin, access_control_request_headers=wanted)
    assert (answer.status, answer.facts["db_queries"]) == (204, 0)
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-headers"] == wanted
    assert answer.headers["vary"] == "origin"


def test_the_methods_are_the_paths_own_and_the_one_that_is_asked_for() -> None:
    """What has no such path or method says so when it is called: else no page could read that."""
    world = new_world(session=SETTINGS)
    assert asking(world, "/api/v1/keys").headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert asking(world, "/v1/chat/completions").headers["access-control-allow-methods"] == "POST"
    for path in ("/api/v1/nothing", "/v1/nothing"):
        asked = asking(world, path, access_control_request_method="PATCH")
        assert (asked.status, asked.headers["access-control-allow-methods"]) == (204, "PATCH")
    assert "x" not in asking(world, "/v1/nothing", access_control_request_method="x\r\n").headers.values()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.evil.example", "https://APP.example", "null", "", APP + "/"]
)
def test_an_origin_that_is_not_listed(origin: str) -> None:
    """It is told so, and its page reads nothing of any answer."""
    world = new_world(session=SETTINGS)
    asked = asking(world, "/api/v1/keys", origin=origin)
    answer = world.ask("GET", "/api/v1/keys", headers={"origin": origin})
    assert (asked.status, answer.status) == (403, 200)
    for headers in (asked.headers, answer.headers):
        assert not [name for name in headers if name.startswith("access-control-")]
        assert headers["vary"] == "origin"


@pytest.mark.parametrize("wanted", ["a" * 2001, "x\r\nset-cookie: y", "x,,y", "é"])
def test_names_of_headers_that_are_none_are_not_repeated(wanted: str) -> None:
    """What comes back is only what could be a list of names."""
    answer = asking(new_world(session=SETTINGS), "/api/v1/keys", access_control_request_headers=wanted)
    assert answer.status == 204
    assert "access-control-allow-headers" not in answer.headers


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/v1/keys", 200), ("POST", "/api/v1/keys", 400)])
def test_answers_and_errors_can_be_read_by_a_listed_page(method: str, path: str, status: int) -> None:
    """With credentials, for this very origin; what SDKs look at is exposed."""
    world = new_world(session=SETTINGS)
    answer = world.ask(method, path, {} if method == "POST" else None, headers={"origin": APP})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert {"etag", "retry-after", "x-request-id"} <= set(answer.headers["access-control-expose-headers"].split(", "))
    assert world.ask(method, path, key=None, headers={"origin": APP}).headers["access-control-allow-origin"] == APP


def test_without_a_list_nobody_else_may_call() -> None:
    """And answers are as they were."""
    world = new_world()
    assert asking(world, "/api/v1/keys").status == 403
    headers = world.ask("GET", "/api/v1/keys", headers={"origin": APP}).headers
    assert not [name for name in headers if name.startswith("access-control-") or name == "vary"]


def test_options_without_a_question_of_a_browsers_is_a_method_like_others() -> None:
    """Which no route has."""
    assert new_world(session=SETTINGS).ask("OPTIONS", "/api/v1/keys").status == 405


def test_a_listed_page_still_needs_the_sessions_token() -> None:
    """The list lets it read and ask; the token proves that it has read."""
    _, browser = new_person(session=SETTINGS)
    headers = {"origin": APP, "sec-fetch-site": "cross-site"}
    assert browser.ask("POST", "/api/v1/keys", {"name": "x"}, headers=headers, csrf=None).status == 403
    assert browser.ask("POST", "/api/v1/keys", {"name": "x"}, headers=headers).status == 201
    assert browser.ask("POST", "/api/v1/keys", {"name": "x"}, headers={"origin": OWN}).status == 201


def sent_by_the_sdk() -> set[str]:
    """Ask the pinned Python SDK which headers it sends, over each of its ways to a completion."""
    seen: set[str] = set()

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.update(request.headers)
        return httpx2.Response(500)

    transport = httpx2.MockTransport(answer)
    client = openai.AsyncOpenAI(
        api_key="x", organization="o", project="p", max_retries=0, http_client=httpx2.AsyncClient(transport=transport)
    )
    asked: Any = {"model": "sim/chat", "messages": []}

    async def stream() -> None:
        async with client.chat.completions.stream(**asked):
            pass

    async def ask_all() -> None:
        chat = client.chat.completions
        for one in (stream(), chat.create(**asked), chat.parse(**asked)):
            with pytest.raises(openai.InternalServerError):
                await one

    asyncio.run(ask_all())
    return seen


def test_all_that_the_sdk_sends_may_be_sent() -> None:
    """From a page of a listed origin and, on the AI API, from any other. (Node: openai_sdk_in_a_page.test.ts.)"""
    names = {*sent_by_the_sdk(), "traceparent", "anthropic-version", "x-api-key", "x_own"}
    assert {"x-stainless-helper-method", "openai-organization", "openai-project", "user-agent"} <= names
    for world, origin in ((new_world(session=SETTINGS), APP), (new_world(), "https://any.example")):
        wanted = ",".join(sorted(names))
        answer = asking(world, "/v1/chat/completions", origin=origin, access_control_request_headers=wanted)
        assert (answer.status, answer.headers["access-control-allow-headers"]) == (204, wanted)


@pytest.mark.parametrize(
    "error", [HeadgateError("x"), Unavailable("x", code="not_configured")], ids=["a defect of ours", "no settings"]
)
def test_what_breaks_before_there_is_a_world_can_be_read(error: HeadgateError) -> None:
    """By any page on the AI API, and on the other by those that are listed."""
    for path, origin, listed, read in (
        ("/v1/x", "https://any.example", frozenset[str](), True),
        ("/v1/x", APP, frozenset({APP}), True),
        ("/api/v1/x", APP, frozenset({APP}), True),
        ("/api/v1/x", "https://any.example", frozenset({APP}), False),
    ):
        answer = pipeline.refused(ROUTER, raw_request("GET", path, headers={"origin": origin}), error, listed)
        assert answer.headers.get("access-control-allow-origin") == (origin if read else None)
        assert ("access-control-allow-credentials" in answer.headers) == (origin in listed)
        assert answer.headers.get("access-control-expose-headers") == (ROUTER.exposed if read else None)
    assert pipeline.failure(ROUTER, raw_request("GET", "/v1/x", headers={"origin": APP})).headers["vary"] == "origin"
