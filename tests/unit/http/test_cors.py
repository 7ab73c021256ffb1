"""Other origins' pages: an explicit list, no `*`, and an answer before anybody has signed in."""

from __future__ import annotations

import pytest

from tests.unit.identity.signed_in import OWN, new_person, of
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


def test_the_methods_are_the_paths_own() -> None:
    world = new_world(session=SETTINGS)
    assert asking(world, "/api/v1/keys").headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert asking(world, "/v1/chat/completions").headers["access-control-allow-methods"] == "POST"
    assert asking(world, "/api/v1/nothing").status == 404


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
