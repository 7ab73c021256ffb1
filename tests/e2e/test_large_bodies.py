"""Bodies that are too large, too slow, or somebody's whom nobody knows: refused as soon as that is known."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from lib.secrets import api_keys
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


@pytest.mark.parametrize("size", [f"content-length: {8 * MIB}", "transfer-encoding: chunked"])
def test_a_key_that_nobody_made(headgate: Headgate, size: str) -> None:
    """A large body of a caller who is not known is a 401 while it comes: the isolate holds nothing for it."""
    with Connection(headgate.base_url) as connection:
        connection.send(head_of("/v1/chat/completions", connection.host, api_keys.new_key(), size))
        began = time.monotonic()
        for _ in range(6):  # no more than is needed to see that a chunked one is large
            connection.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        assert_refused(connection, 401, began)


def trickled(url: str, key: str, size: int | None, pace: int, step: int) -> tuple[int, float]:
    """Send a body of `size` at `pace` bytes a second; return the status, and after how many seconds it came."""
    length = f"content-length: {size}" if size else "transfer-encoding: chunked"
    began = time.monotonic()
    with Connection(url, timeout=60) as connection, ThreadPoolExecutor(1) as pool:
        connection.send(head_of("/v1/chat/completions", connection.host, key, length))
        answer = pool.submit(connection.head)
        sent = 0
        with suppress(OSError):
            while not answer.done() and pace and sent < (size or 8 * MIB):
                connection.send(b" " * step if size else b"%x\r\n%s\r\n" % (step, b" " * step))
                sent += step
                time.sleep(step / pace)
        head = answer.result()
        answered = time.monotonic() - began
        if head.status == 408:
            connection.body(head)
            assert connection.ended(), "the rest would be taken for the next request"
        return head.status, answered


def test_paces(headgate: Headgate) -> None:
    """A trickle ends with 408; a slow upload goes on for longer than that takes, and its body is looked at (400)."""
    sent = [(MIB, 1, 1), (None, 1, 1), (MIB, 0, 1), (1000, 0, 1), (MIB, 50 * 1024, 1024)]
    with Connection(headgate.base_url) as other, ThreadPoolExecutor(len(sent)) as pool:
        other.send(head_of("/v1/chat/completions", other.host, headgate.key, "content-length: 1000"))
        found = list(pool.map(partial(trickled, headgate.base_url, headgate.key), *zip(*sent, strict=True)))

    assert [status for status, _ in found] == [408, 408, 408, 408, 400]
    assert all(14 < seconds < 40 for _, seconds in found[:4])
    assert found[4][1] > 18


def test_one_organisations_uploads_leave_room_for_others(headgate: Headgate, own_headgate: Headgate) -> None:
    """A key that opens many uploads and sends little of them: the others of its organisation are told to come again."""
    with ExitStack() as stack:
        uploads = [stack.enter_context(Connection(headgate.base_url)) for _ in range(4)]
        for upload in uploads:
            size = f"content-length: {8 * MIB - 1}"
            upload.send(head_of("/v1/chat/completions", upload.host, headgate.key, size) + b" " * 1000)
        for upload in uploads[1:]:
            assert_refused(upload, 503, time.monotonic())

        large = [{"role": "user", "content": "x" * (8 * MIB - 1000)}]
        assert own_headgate.chat(sim_model(), messages=large).status_code == 200
        assert headgate.chat(sim_model()).status_code == 200


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
