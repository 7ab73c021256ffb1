"""Finding a route: fixed paths, parameters, methods, and names that are encoded."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given

from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.response import Response
from lib.kernel.errors import MethodNotAllowed, NotFound
from lib.web.route import Route
from lib.web.router import Router
from tests.unit.strategies import TEXT


async def answer(*_: object) -> Response:
    """Answer nothing."""
    return Response(204)


def route(method: str, path: str) -> Route:
    return Route(method=method, path=path, handler=answer, summary="", responses={}, permission=None)


AI = [("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/v1/models/{model:path}")]
ROUTER = Router(
    [
        route("GET", "/things"),
        route("POST", "/things"),
        route("GET", "/things/{id}"),
        route("DELETE", "/things/{id}"),
        route("POST", "/things/{id}/actions/turn"),
        route("GET", "/things/mine"),
        route("PUT", "/files/{name:path}"),
        route("GET", "/a.b+c/{x}/{y}"),
    ]
)


def found(method: str, path: str) -> tuple[str, dict[str, str]]:
    matched, parameters = ROUTER.match(method, path)
    return f"{matched.method} {matched.path}", parameters


def test_a_fixed_path_is_found_by_method() -> None:
    """One path, several methods."""
    assert found("GET", "/things") == ("GET /things", {})
    assert found("POST", "/things") == ("POST /things", {})


def test_a_fixed_path_goes_before_a_parameter() -> None:
    """`/things/mine` is not the thing called mine, though it was declared later."""
    assert found("GET", "/things/mine") == ("GET /things/mine", {})


def test_a_parameter_is_one_segment() -> None:
    """It is not empty and holds no slash."""
    assert found("GET", "/things/7") == ("GET /things/{id}", {"id": "7"})
    assert found("POST", "/things/7/actions/turn") == ("POST /things/{id}/actions/turn", {"id": "7"})
    for path in ("/things/7/8", "/things//actions/turn"):
        with pytest.raises(NotFound):
            ROUTER.match("GET", path)


@pytest.mark.parametrize("slashes", ["/", "//", "/" * 50])
@pytest.mark.parametrize("path", ["/things", "/things/7", "/things/7/actions/turn", "/files/a/b"])
def test_slashes_at_the_end_mean_nothing(path: str, slashes: str) -> None:
    """They are not part of a name either, unless they are encoded."""
    method = {"/files/a/b": "PUT", "/things/7/actions/turn": "POST"}.get(path, "GET")
    assert found(method, path + slashes) == found(method, path)
    assert found("PUT", "/files/a%2F") == ("PUT /files/{name:path}", {"name": "a/"})
    for nothing in (slashes, f"/nothing{slashes}", f"/files{slashes}"):
        with pytest.raises(NotFound):
            ROUTER.match("GET", nothing)


OFFERED = "What is: POST /v1/chat/completions, GET /v1/models."


@pytest.mark.parametrize(
    ("path", "message", "code"),
    [
        ("/v1/responses", f"/v1/responses is not offered here. {OFFERED}", "unknown_url"),
        ("/v1/images/generations/", f"/v1/images is not offered here. {OFFERED}", "unknown_url"),
        ("/v1/sk-secret%00<b>", f"This is not offered here. {OFFERED}", "unknown_url"),
        ("/v1/" + "x" * 33, f"This is not offered here. {OFFERED}", "unknown_url"),
        ("/v1/", f"This is not offered here. {OFFERED}", "unknown_url"),
        (
            "/chat/completions",
            "There is nothing at this path. Did you mean /v1/chat/completions? The base URL ends with /v1.",
            "not_found",
        ),
        ("/nothing", "There is nothing at this path.", "not_found"),
        ("/v10/x", "There is nothing at this path.", "not_found"),
    ],
)
def test_what_is_not_offered_is_told_with_what_is(path: str, message: str, code: str) -> None:
    """Of what somebody puts into a path only a plain word is said again."""
    ai = [replace(route(method, path), dialect=OPENAI) for method, path in AI]
    with pytest.raises(NotFound) as caught:
        Router([*ai, route("GET", "/api/v1/models")]).match("POST", path)
    assert (caught.value.message, caught.value.code) == (message, code)


def test_a_path_parameter_takes_the_rest() -> None:
    """Names of models hold slashes, encoded or not."""
    assert found("PUT", "/files/a/b/c") == ("PUT /files/{name:path}", {"name": "a/b/c"})
    assert found("PUT", "/files/a%2Fb") == ("PUT /files/{name:path}", {"name": "a/b"})
    with pytest.raises(NotFound):
        ROUTER.match("PUT", "/files/")


def test_an_encoded_slash_is_part_of_a_segment() -> None:
    """%2F is decoded after the path is split, so it never makes another route match."""
    assert found("GET", "/things/a%2Fb") == ("GET /things/{id}", {"id": "a/b"})
    assert found("GET", "/things/7%2Factions%2Fturn") == ("GET /things/{id}", {"id": "7/actions/turn"})


def test_decoding_happens_once() -> None:
    """%252F is the text %2F."""
    assert found("GET", "/things/%252F") == ("GET /things/{id}", {"id": "%2F"})


@given(TEXT.filter(bool))
def test_any_name_survives_the_path(name: str) -> None:
    """Whatever a client encodes as one segment arrives as it was."""
    assert found("GET", "/things/" + quote(name, safe="")) == ("GET /things/{id}", {"id": name})


@pytest.mark.parametrize("segment", ["%ff", "%C3%28", "%ed%a0%80", "a%80b", "%f8%88%80%80%80"])
def test_bytes_that_are_not_utf8_name_nothing(segment: str) -> None:
    """Such a name can't be stored, so nothing has it: 404, no crash."""
    with pytest.raises(NotFound):
        ROUTER.match("GET", f"/things/{segment}")


@pytest.mark.parametrize("segment", ["%", "%2", "%zz", "100%"])
def test_a_stray_percent_sign_is_itself(segment: str) -> None:
    """As the URL standard has it."""
    assert found("GET", f"/things/{segment}")[1] == {"id": segment}


def test_characters_of_regular_expressions_are_plain() -> None:
    """A dot in a path is a dot."""
    assert found("GET", "/a.b+c/1/2") == ("GET /a.b+c/{x}/{y}", {"x": "1", "y": "2"})
    with pytest.raises(NotFound):
        ROUTER.match("GET", "/aXb+c/1/2")


@pytest.mark.parametrize("path", ["", "/", "/thing", "/things/7/actions", "/THINGS", "//things", "/things?x", "things"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    """Paths are exact: case, slashes and all."""
    with pytest.raises(NotFound):
        ROUTER.match("GET", path)


def test_head_is_answered_by_get() -> None:
    """RFC 9110, 9.3.2: HEAD is GET without the body."""
    assert found("HEAD", "/things/7")[0] == "GET /things/{id}"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/things", "GET, HEAD, POST"),
        ("PATCH", "/things/7", "DELETE, GET, HEAD"),
        ("HEAD", "/files/a", "PUT"),
        ("GET", "/things/7/actions/turn", "POST"),
        ("get", "/things", "GET, HEAD, POST"),
        ("OPTIONS", "/things/mine", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_there_is_told_which_are(method: str, path: str, allow: str) -> None:
    """RFC 9110, 15.5.6: 405 names the methods in Allow; methods are case-sensitive."""
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.match(method, path)
    assert caught.value.headers == {"allow": allow}


def test_two_routes_of_one_method_and_path_are_a_mistake() -> None:
    """The second would never be called."""
    with pytest.raises(ValueError, match="two routes for GET /x"):
        Router([route("GET", "/x"), route("GET", "/x")])
