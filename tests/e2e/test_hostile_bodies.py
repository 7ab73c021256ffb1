"""Bodies that are wrong or meant to hurt: each is a clear 400 in the shape of its API, and reaches no provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model, upstream_name
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider

SECRET = "hg_AttackersOwnWordsMustNotComeBack0123456789"
BOTH = pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/keys"])
NO_JSON = {
    "nothing but spaces": b"   ",
    "not JSON": SECRET.encode(),
    "half an object": b'{"name": "' + SECRET.encode(),
    "two values": b"{} {}",
    "a comment": b"{/* x */}",
    "single quotes": b"{'name': 'x'}",
    "a trailing comma": b'{"name": "x",}',
    "NaN": b'{"name": "x", "y": NaN}',
    "Infinity": b'{"name": "x", "y": Infinity}',
    "minus Infinity": b'{"name": "x", "y": -Infinity}',
    "1e999": b'{"name": "x", "y": 1e999}',
    "minus 1E+0999": b'{"name": "x", "y": -1E+0999}',
    "310 digits and a point": b'{"name": "x", "y": ' + b"9" * 310 + b".5}",
    "300 digits and e99": b'{"name": "x", "y": ' + b"1" * 300 + b"e99}",
    "300 digits, a point and e50": b'{"name": "x", "y": [{"z": ' + b"1" * 300 + b".0e50}]}",
    "a raw NUL": b'{"name": "a\x00b"}',
    "a raw line end": b'{"name": "a\nb"}',
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-8 of a surrogate": b'{"name": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "200 deep": b'{"name": ' + b"[" * 200 + b"]" * 200 + b"}",
    "200 objects deep": b'{"a":' * 200 + b"1" + b"}" * 200,
    "a million brackets": b"[" * 60_000,
}
OTHER_JSON = [b"null", b"[]", b'"text"', b"17", b"true", b"[[{}]]"]


def send(headgate: Headgate, path: str, content: bytes) -> Any:
    return headgate.call("POST", path, content=content, headers={"content-type": "application/json"})


@BOTH
@pytest.mark.parametrize("kind", NO_JSON)
def test_what_is_not_json(headgate: Headgate, path: str, kind: str) -> None:
    """Malformed, too deep, or with numbers that JSON does not have: 400 `invalid_json`, and none of it comes back."""
    answer = send(headgate, path, NO_JSON[kind])

    assert assert_error(answer, 400, openai=path.startswith("/v1"))["code"] == "invalid_json"
    assert SECRET not in answer.text


@BOTH
@pytest.mark.parametrize("content", OTHER_JSON, ids=bytes.decode)
def test_json_that_is_no_object(headgate: Headgate, path: str, content: bytes) -> None:
    """A body must be an object."""
    assert_error(send(headgate, path, content), 400, openai=path.startswith("/v1"))


WRONG_TYPES: list[tuple[str, dict[str, Any]]] = [
    ("model", {"messages": [{"role": "user", "content": "x"}]}),
    ("messages", {"model": "sim/chat"}),
    ("model", {**chat_body("sim/chat"), "model": 7}),
    ("model", {**chat_body("sim/chat"), "model": None}),
    ("model", {**chat_body("sim/chat"), "model": ""}),
    ("model", {**chat_body("sim/chat"), "model": "x" * 257}),
    ("messages", {"model": "sim/chat", "messages": []}),
    ("messages", {"model": "sim/chat", "messages": {"role": "user"}}),
    ("messages", {"model": "sim/chat", "messages": SECRET}),
    ("messages.0", {"model": "sim/chat", "messages": [SECRET]}),
    ("messages.0.role", {"model": "sim/chat", "messages": [{"content": SECRET}]}),
    ("messages.0.role", {"model": "sim/chat", "messages": [{"role": 1, "content": "x"}]}),
    ("messages.0.content", {"model": "sim/chat", "messages": [{"role": "user", "content": 1}]}),
    ("messages.0.content", {"model": "sim/chat", "messages": [{"role": "user", "content": [SECRET]}]}),
    ("stream", chat_body("sim/chat", stream="true")),
    ("stream", chat_body("sim/chat", stream=1)),
    ("stream_options", chat_body("sim/chat", stream=True, stream_options=True)),
    ("stream_options.include_usage", chat_body("sim/chat", stream=True, stream_options={"include_usage": "yes"})),
    ("messages", {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}] * 10_001}),
]


@pytest.mark.parametrize(
    ("field", "body"), WRONG_TYPES, ids=[f"{i} {field}" for i, (field, _) in enumerate(WRONG_TYPES)]
)
def test_wrong_types(headgate: Headgate, field: str, body: dict[str, Any]) -> None:
    """The error names the field that is missing or wrong, and never its value."""
    answer = headgate.post("/v1/chat/completions", body)

    error = assert_error(answer, 400, openai=True)
    assert str(error["param"]).startswith(field)
    assert SECRET not in answer.text


@pytest.mark.parametrize("given", [None, 5, [], [1, "a"], {"a": 1}, [[]], [None]], ids=str)
def test_wrong_embedding_inputs(headgate: Headgate, given: object) -> None:
    """What can't be embedded is refused before a provider is asked."""
    answer = headgate.post("/v1/embeddings", {"model": "sim/embed", "input": given})

    assert str(assert_error(answer, 400, openai=True)["param"]).startswith("input")


@pytest.mark.parametrize("number", ["1" * 300 + "e99", "-" + "1" * 300 + ".0e50", "1" + "0" * 308 + "0e0", "1e309"])
def test_a_number_that_no_double_holds(headgate: Headgate, upstream: ScriptedUpstream, number: str) -> None:
    """Such a number would leave us as something that is no JSON: it is refused, and no provider sees it."""
    model = upstream.answers(b'{"choices":[]}')
    content = json.dumps(chat_body(model)).encode()[:-1] + f', "top_p": {number}}}'.encode()

    assert_error(send(headgate, "/v1/chat/completions", content), 400, openai=True)
    assert upstream.calls[upstream_name(model)] == []


def test_a_refused_body_reaches_no_provider(headgate: Headgate, sim: SimulatedProvider) -> None:
    """A provider is not asked, and nothing is recorded, for a request that is refused."""
    model = sim_model()

    headgate.chat(model, messages=[])
    send(headgate, "/v1/chat/completions", json.dumps(chat_body(model)).encode()[:-1] + b', "y": 1e999}')

    assert sim.of(model)["requests"] == 0
    assert headgate.records(model=model) == []


def test_unusual_and_valid(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """What JSON allows is no error: duplicate names (the last counts), escapes, NUL, big integers, some depth."""
    model = upstream.answers(b'{"choices":[]}')
    text = (
        '{"model": "nobody/x", "messages": [{"role": "user", "content": "a\\u0000\\ud83d\\ude00\\/"}], "n": 1, "n": 2,'
        f' "model": "{model}", "big": {2**70}, "tiny": 1e-400, "deep": {"[" * 40}{"]" * 40}}}'
    )

    assert send(headgate, "/v1/chat/completions", text.encode()).status_code == 200
    body = upstream.call_of(model).body
    assert body["model"] == upstream_name(model)
    assert body["messages"][0]["content"] == "a\x00😀/"
    assert (body["n"], body["big"]) == (2, 2**70)


@BOTH
@pytest.mark.parametrize(
    "content",
    [b'{"name": "\\ud800"}', b'{"\\udfff": 1}', b'{"y": ' + b"7" * 5000 + b"}", b'\xef\xbb\xbf{"name": "x"}'],
    ids=["half a surrogate", "half a surrogate as name", "5,000 digits", "a byte order mark"],
)
def test_borderline_json(headgate: Headgate, path: str, content: bytes) -> None:
    """What parsers disagree about is taken or refused, and is no failure of ours."""
    answer = send(headgate, path, content)

    assert answer.status_code in {200, 201, 400}
    assert "error" in answer.json() or answer.status_code < 300
