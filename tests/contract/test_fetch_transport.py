"""httpx over the platform's `fetch`, on workerd against a real server: what services may rely on with any client."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.support.http_server import PIECE, HttpServer
from tests.contract.support.store_worker import StoreWorker
from tools.ports import HOST, free_port


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def fetch(worker: StoreWorker, *calls: dict[str, Any], seconds: float = 20, most_bytes: int = 10**6) -> Any:
    asked = {"seconds": seconds, "most_bytes": most_bytes, "calls": [{"method": "GET", **call} for call in calls]}
    answer = json.loads(worker.send(json.dumps({"fetching": asked})))
    assert "broke" not in answer, answer
    return answer


def body_of(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["body"])


def test_what_is_sent_and_what_comes_back(store_worker: StoreWorker, server: HttpServer) -> None:
    """Method, headers and body as they are said; no cookie is taken, kept or sent."""
    call = {"url": f"{server.url}/echo", "headers": {"x-a": "1", "cookie": "c=d"}}
    first, second, empty = fetch(
        store_worker,
        {**call, "method": "PUT", "content": "héllo"},
        call,
        {"method": "DELETE", "url": f"{server.url}/nothing"},
    )
    said = json.loads(body_of(first))
    assert (first["status"], said["method"], said["body"]) == (200, "PUT", ["héllo"])
    assert (said["headers"]["x-a"], said["headers"]["user-agent"]) == ("1", "headgate")
    assert said["headers"]["content-length"] == "6"
    assert not {"set-cookie", "content-length"} & set(first["headers"])
    for answer in (first, second):
        assert "cookie" not in json.loads(body_of(answer))["headers"]
    assert json.loads(body_of(second))["body"] == [""]
    assert (empty["status"], body_of(empty)) == (204, b"")


def test_pieces_go_as_they_come(store_worker: StoreWorker, server: HttpServer) -> None:
    """Both ways: a request that is written piece by piece, with its length where that is known, and an answer."""
    url = f"{server.url}/echo"
    pieces = ["one", "two", "three"]
    chunked, measured, answered = fetch(
        store_worker,
        {"method": "POST", "url": url, "pieces": pieces},
        {"method": "POST", "url": url, "pieces": pieces, "headers": {"content-length": "11"}},
        {"url": f"{server.url}/endless", "leave": 5},
    )
    assert json.loads(body_of(chunked))["body"] == pieces
    assert json.loads(body_of(measured))["body"] == ["onetwothree"]
    assert answered["pieces"] == 5
    assert server.left.wait(5), "closing an answer does not cancel its call"


def test_no_redirect_is_followed(store_worker: StoreWorker, server: HttpServer) -> None:
    """Not even by a client that is told to."""
    [answer] = fetch(store_worker, {"url": f"{server.url}/elsewhere"})
    assert answer["status"] == 302
    assert server.asked == ["/elsewhere"]


def test_packed_answers(store_worker: StoreWorker, server: HttpServer) -> None:
    """Unpacked once, and counted as what came out; an encoding that nobody has asked for is refused."""
    url = f"{server.url}/packed"
    unpacked, odd = fetch(store_worker, {"url": url}, {"url": f"{server.url}/odd"})
    assert body_of(unpacked) == PIECE * 100
    assert odd["error"] == "DecodingError"
    [large] = fetch(store_worker, {"url": url}, most_bytes=50_000)
    assert (large["error"], large["why"]) == ("ReadError", "the answer is over 50000 bytes")


@pytest.mark.parametrize(
    ("path", "call", "limits", "error"),
    [
        ("silent", {}, {"seconds": 0.5}, "ReadTimeout"),
        ("silent", {"wait": 0.5}, {}, "ReadTimeout"),
        ("stalled", {}, {"seconds": 0.5}, "ReadTimeout"),
        ("stalled", {"wait": 0.5}, {}, "ReadTimeout"),
        ("endless", {"wait": 0.5}, {"seconds": 1}, "ReadTimeout"),
        ("endless", {}, {"most_bytes": 20_000}, "ReadError"),
        ("endless", {"cancel": 0.5}, {}, "TimeoutError"),
        ("silent", {"cancel": 0.5}, {}, "TimeoutError"),
        ("broken", {}, {}, "ReadError"),
        ("echo", {"method": "POST", "pieces": ["a", "!"]}, {}, "RuntimeError"),
    ],
)
def test_a_call_ends(
    store_worker: StoreWorker, server: HttpServer, path: str, call: dict[str, Any], limits: Any, error: str
) -> None:
    """By its time, its size, its caller or its own pieces; at once, and with its connection."""
    begun = time.monotonic()
    [ended] = fetch(store_worker, {"url": f"{server.url}/{path}", **call}, **limits)
    assert ended["error"] == error, ended
    assert time.monotonic() - begun < 30  # the server would take a minute
    if path == "endless":
        assert server.left.wait(5), "the connection stays"


def test_nobody_there(store_worker: StoreWorker) -> None:
    """Neither at an address, nor at one of another protocol. The text names no address: it goes into the log."""
    closed, odd = fetch(store_worker, {"url": f"http://{HOST}:{free_port()}/"}, {"url": "ftp://example.com/"})
    assert (closed["error"], odd["error"]) == ("ConnectError", "UnsupportedProtocol")
    assert HOST not in closed["why"]
