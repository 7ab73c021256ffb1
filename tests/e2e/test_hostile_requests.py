"""Requests that are wrong before their body counts: content types, methods, paths and headers."""

from __future__ import annotations

import json

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.raw import Connection
from tests.e2e.support.shapes import assert_error

BOTH = pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/keys"])


@BOTH
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", "a/b/c"],
)
def test_another_content_type(headgate: Headgate, path: str, content_type: str) -> None:
    """A body that does not say it is JSON is a 415."""
    answer = headgate.call("POST", path, content=b"{}", headers={"content-type": content_type})

    assert_error(answer, 415, openai=path.startswith("/v1"))


@BOTH
def test_no_content_type(headgate: Headgate, path: str) -> None:
    """A body without a content type is a 415 as well."""
    assert_error(headgate.call("POST", path, content=b"{}"), 415, openai=path.startswith("/v1"))


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
def test_json_by_another_spelling(headgate: Headgate, content_type: str) -> None:
    """Parameters and capitals do not make it another type."""
    content = json.dumps(chat_body("sim/chat")).encode()

    answer = headgate.call("POST", "/v1/chat/completions", content=content, headers={"content-type": content_type})
    assert answer.status_code == 200


@BOTH
def test_an_empty_body(headgate: Headgate, path: str) -> None:
    """Without a body the first missing field is named."""
    error = assert_error(headgate.call("POST", path), 400, openai=path.startswith("/v1"))
    assert "required" in str(error["message"])


WRONG_METHODS = [
    ("GET", "/v1/chat/completions", "POST"),
    ("HEAD", "/v1/embeddings", "POST"),
    ("PUT", "/v1/models", "GET, HEAD"),
    ("DELETE", "/v1/models/sim/chat", "GET, HEAD"),
    ("PATCH", "/api/v1/keys", "GET, HEAD, POST"),
    ("POST", "/api/v1/models/x", "DELETE, GET, HEAD, PUT"),
    ("OPTIONS", "/api/v1/usage", "GET, HEAD"),
    ("POST", "/livez", "GET, HEAD"),
    ("DELETE", "/docs", "GET, HEAD"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), WRONG_METHODS)
def test_another_method(headgate: Headgate, method: str, path: str, allowed: str) -> None:
    """A method that a path does not have is a 405 that names those it has."""
    answer = headgate.call(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert_error(answer, 405, openai=path.startswith("/v1"))


@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "NONSENSE", "get"])
def test_a_method_that_nobody_has(headgate: Headgate, method: str) -> None:
    """Other methods are refused, by us or by the platform before us (501: it does not know them)."""
    with Connection(headgate.base_url) as connection:
        connection.send(f"{method} /v1/models HTTP/1.1\r\nhost: {connection.host}\r\n\r\n".encode())
        assert connection.head().status in {400, 401, 405, 501}


UNKNOWN = ["/", "/v2", "/v1", "/v1/", "/v1/chat", "/v1/chat/x/", "/v1/nothing", "/V1/models", "//v1/models"]
UNKNOWN += ["/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/keys/a/b/c", "/livez/x", "/.env", "/api/v2/keys"]
UNKNOWN += ["/v1/%63hat", "/v1/..%2fapi", "/docs/..", "/%00", "/%", "/%zz", "/%ff", "/é"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_path(headgate: Headgate, path: str) -> None:
    """What does not exist is a 404: in OpenAI's shape under /v1, in our own elsewhere."""
    with Connection(headgate.base_url) as connection:
        lines = [f"GET {path} HTTP/1.1", f"host: {connection.host}", f"authorization: Bearer {headgate.key}"]
        connection.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        head = connection.head()
        error = json.loads(connection.body(head))["error"]

    assert head.status == 404
    assert ("type" in error) == (path == "/v1" or path.startswith("/v1/"))
    assert headgate.key not in str(error)


ODD_IDS = ["%ff", "%00", "%", "..%2f..%2f", "%f0%9f%98%80", "'%20OR%201=1--", "%7Bid%7D", "null", "a" * 2000]


@pytest.mark.parametrize("path", ["/api/v1/keys/", "/api/v1/models/", "/v1/models/"])
@pytest.mark.parametrize("name", ODD_IDS)
def test_an_id_that_cannot_be(headgate: Headgate, path: str, name: str) -> None:
    """Odd ids name nothing: 404, whatever their bytes mean elsewhere."""
    with Connection(headgate.base_url) as connection:
        lines = [f"GET {path}{name} HTTP/1.1", f"host: {connection.host}", f"authorization: Bearer {headgate.key}"]
        connection.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert connection.head().status == 404


@pytest.mark.parametrize("size", [9_000, 60_000])
def test_an_address_that_is_too_long(headgate: Headgate, size: int) -> None:
    """A path or query of many kilobytes is a 414, or ended by the platform; it is no failure of ours."""
    for target in ("/v1/models/" + "a" * size, "/api/v1/keys?cursor=" + "a" * size):
        answer = headgate.call("GET", target)
        assert answer.status_code in {414, 431}


@pytest.mark.parametrize("size", [10_000, 100_000, 1_000_000])
def test_headers_that_are_too_long(headgate: Headgate, size: int) -> None:
    """Large headers are read or refused, and the next request is answered."""
    with Connection(headgate.base_url) as connection:
        connection.send(f"GET /livez HTTP/1.1\r\nhost: {connection.host}\r\nx-a: {'a' * size}\r\n\r\n".encode())
        assert connection.head().status in {200, 400, 413, 431}
    assert headgate.get("/livez").status_code == 200


@pytest.mark.parametrize("host", ["", "x" * 5000, "ex/ample", "a@b", "127.1", "[::1]:80", "evil.example:1"])
def test_an_odd_host(headgate: Headgate, host: str) -> None:
    """Whatever Host says is no matter of ours. (One that makes no URL never reaches us: the platform ends it.)"""
    with Connection(headgate.base_url) as connection:
        connection.send(f"GET /livez HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        assert connection.head().status in {200, 400, 404}
