"""Providers that make no sense: each is a clear 502 in OpenAI's shape, never a failure of our own."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.scripted import Call, ScriptedUpstream, answer, stream_head

pytestmark = pytest.mark.once

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
NONSENSE = {
    "silence": b"",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "half a status line": b"HTTP/1.1 2",
    "half of the headers": b"HTTP/1.1 200 OK\r\ncontent-ty",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 9\r\n\r\n{}",
    "a negative length": OK + b"content-length: -1\r\n\r\n{}",
    "a body that is too short": OK + b"content-length: 100\r\n\r\n{}",
    "a broken chunk": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "megabytes of headers": OK + b"x-a: " + b"a" * 2_000_000 + b"\r\n\r\n{}",
    "status 999": answer(b"{}", status="999 No"),
    "status 600": answer(b"{}", status="600 No"),
    "status 304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
}


def assert_bad_gateway(answer: httpx.Response) -> None:
    assert answer.status_code == 502, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["x-headgate-request-id"]


@STREAMED
@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense(headgate: Headgate, upstream: ScriptedUpstream, kind: str, stream: bool) -> None:
    """What is no answer to a call to a model is a 502, and has its record."""
    model = upstream.plays(lambda call: call.send(NONSENSE[kind]))

    assert_bad_gateway(headgate.chat(model, stream=stream))
    assert headgate.record(model)["cause"] in {"upstream_unreachable", "upstream_broke_off", "upstream_refused"}


@STREAMED
@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content"])
def test_a_success_without_content(headgate: Headgate, upstream: ScriptedUpstream, status: str, stream: bool) -> None:
    """A status that allows no body is handed on, or is a 502; it is no failure of ours."""
    model = upstream.plays(lambda call: call.send(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()))

    assert headgate.chat(model, stream=stream).status_code in {int(status[:3]), 502}
    assert headgate.record(model)


@pytest.mark.parametrize(
    "content", [b"", b"not json", b"[]", b"null", b'{"usage": {"prompt_tokens": -1}}', b"\xff\xfe"]
)
def test_a_whole_answer_that_cannot_be_read(headgate: Headgate, upstream: ScriptedUpstream, content: bytes) -> None:
    """An answer whose usage can't be read is the client's all the same, and charged by an estimate."""
    model = upstream.answers(content)

    answer = headgate.chat(model)

    assert (answer.status_code, answer.content) == (200, content)
    record = headgate.record(model)
    assert (record["cause"], record["estimated"]) == ("finished", True)
    assert record["input_tokens"] > 0


@pytest.mark.parametrize(
    "usage",
    [
        b'{"prompt_tokens":1e400}',
        b'{"prompt_tokens":9007199254740993}',
        b'{"prompt_tokens":true}',
        b'{"prompt_tokens":"5"}',
    ],
)
def test_usage_that_cannot_be(headgate: Headgate, upstream: ScriptedUpstream, usage: bytes) -> None:
    """Numbers that no provider means are not believed: the call is charged by an estimate."""
    model = upstream.answers(b'{"choices":[],"usage":' + usage + b"}")

    assert headgate.chat(model).status_code == 200
    assert headgate.record(model)["estimated"]


def test_headers_that_trickle(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """A provider may send its headers byte by byte."""

    def script(call: Call) -> None:
        for byte in answer(b'{"choices":[]}'):
            call.send(bytes([byte]))
            time.sleep(0.002)  # so that each is a packet of its own

    response = headgate.chat(upstream.plays(script))

    assert (response.status_code, response.content) == (200, b'{"choices":[]}')


@pytest.mark.parametrize("value", ["é", "日本", "\x80\x81", "a\tb"])
def test_headers_that_are_no_ascii(headgate: Headgate, upstream: ScriptedUpstream, value: str) -> None:
    """A header that we can't hand on does not cost the client its answer."""
    head = f"x-request-id: {value}\r\nx-ratelimit-limit-requests: {value}\r\n"
    model = upstream.answers(b'{"choices":[]}', more=head)

    assert headgate.chat(model).status_code == 200


@pytest.mark.parametrize("content_type", ["Text/Event-Stream", "text/event-stream;charset=UTF-8"])
def test_the_type_of_a_stream_in_other_letters(
    headgate: Headgate, upstream: ScriptedUpstream, content_type: str
) -> None:
    """A media type means the same in capitals: the usage event is taken out of this stream too."""
    stream = (
        b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":8}}\n\ndata: [DONE]\n\n'
    )
    model = upstream.plays(lambda call: call.send(stream_head(content_type) + stream))

    answer = headgate.chat(model, stream=True)

    assert b"usage" not in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")
    assert headgate.record(model)["output_tokens"] == 8


def test_an_error_without_a_body(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """An error that says nothing keeps its status, and gets a body that says at least that."""
    shapes: list[dict[str, Any]] = [{"content_type": "application/json"}, {"content_type": "text/html"}]
    for shape in shapes:
        answer = headgate.chat(upstream.answers(b"", status="500 Oops", **shape))
        assert answer.status_code == 500
        assert answer.json()["error"]["message"]
