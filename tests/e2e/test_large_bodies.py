"""Bodies that are too large: refused as soon as that is known, without reading them."""

from __future__ import annotations

import time

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model
from tests.e2e.support.raw import Connection, Head
from tests.e2e.support.sim import SimulatedProvider

MIB = 1024 * 1024
CAPS = {"/v1/chat/completions": 8 * MIB, "/api/v1/keys": 64 * 1024}
PATHS = pytest.mark.parametrize("path", CAPS)


def head_of(path: str, host: str, key: str | None, *lines: str) -> bytes:
    own = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json", *lines]
    return "\r\n".join([*own, *([f"authorization: Bearer {key}"] if key else [])]).encode() + b"\r\n\r\n"


def assert_refused(connection: Connection, status: int, began: float) -> None:
    head: Head = connection.head()
    assert head.status == status
    assert b'"error"' in connection.body(head)
    assert time.monotonic() - began < 5, "it read what it was going to refuse"


@PATHS
def test_announced(headgate: Headgate, path: str) -> None:
    """A body of 50 MB that says so is a 413 before any of it is sent."""
    with Connection(headgate.base_url) as connection:
        connection.send(head_of(path, connection.host, headgate.key, f"content-length: {50 * MIB}"))
        assert_refused(connection, 413, time.monotonic())


@PATHS
def test_unannounced(headgate: Headgate, path: str) -> None:
    """A chunked body without end is a 413 once it passes the cap."""
    with Connection(headgate.base_url) as connection:
        connection.send(head_of(path, connection.host, headgate.key, "transfer-encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(CAPS[path] // 0x10000 + 2):
            connection.send(chunk)
        assert_refused(connection, 413, time.monotonic())


@PATHS
def test_sent_whole(headgate: Headgate, path: str) -> None:
    """A client that sends all 50 MB before it listens gets the same answer, not a broken connection."""
    answer = headgate.call("POST", path, content=b" " * (50 * MIB), headers={"content-type": "application/json"})

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "payload_too_large"


def test_the_cap_itself(headgate: Headgate) -> None:
    """A body just below the cap passes, all of it."""
    model = sim_model("chunks1")
    words = "ab " * ((8 * MIB - 1000) // 3)

    answer = headgate.chat(model, messages=[{"role": "user", "content": words}])

    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["prompt_tokens"] == -(-len(words) // 4) + 3


@pytest.mark.parametrize("key", [None, "hg_not_a_key", "sk-somebody-elses"])
@pytest.mark.parametrize("size", ["content-length: 1000000000", "transfer-encoding: chunked"])
def test_no_credential(headgate: Headgate, key: str | None, size: str) -> None:
    """Who shows no credential, or what can't be one, is refused before a byte of the body is read."""
    with Connection(headgate.base_url) as connection:
        connection.send(head_of("/v1/chat/completions", connection.host, key, size))
        assert_refused(connection, 401, time.monotonic())


def test_a_client_that_leaves_while_it_sends(headgate: Headgate, sim: SimulatedProvider) -> None:
    """A body that breaks off reaches no provider, leaves no record, and does no harm."""
    model = sim_model()
    with Connection(headgate.base_url) as connection:
        body = chat_body(model, pad="x" * 5000)
        connection.send(head_of("/v1/chat/completions", connection.host, headgate.key, "content-length: 6000"))
        connection.send(str(body).encode()[:3000])
        connection.leave("rst")

    assert headgate.chat(sim_model()).status_code == 200
    assert sim.of(model)["requests"] == 0
    assert headgate.records(model=model) == []
