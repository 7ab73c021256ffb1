"""What goes to the provider and comes back: the client's own words, and nothing of ours."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model, upstream_name
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.sim import SimulatedProvider
from tools.stack import Stack

pytestmark = pytest.mark.once

UNKNOWN: dict[str, Any] = {
    "temperature": 0.1,
    "seed": 2**60 + 1,
    "logit_bias": {"50256": -100},
    "metadata": {"naïve": "日本 😀 \u2028", "empty": "", "deep": [[{"a": [None, True, 1e-7]}]]},
    "a_field_of_next_year": {"list": [1, "two", None]},
    "user": "u-1",
}


def echoed(upstream: ScriptedUpstream) -> str:
    """A scripted model with a short answer."""
    return upstream.answers(b'{"id":"x","object":"chat.completion","choices":[]}')


def test_fields_that_we_do_not_know(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Every field reaches the provider as the client wrote it, those of next year's API included."""
    model = echoed(upstream)

    answer = headgate.chat(model, **UNKNOWN)

    assert answer.status_code == 200
    assert upstream.call_of(model).body == chat_body(upstream_name(model), **UNKNOWN)


def test_parts_of_a_message_that_we_do_not_know(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Messages pass through whole: images, names, tool calls, and roles that do not exist yet."""
    model = echoed(upstream)
    messages = [
        {"role": "developer", "content": "Be brief.", "name": "ops"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x", "detail": "low"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "custom", "custom": {}}]},
        {"role": "critic", "content": "No.", "weight": 0},
    ]

    assert headgate.chat(model, messages=messages).status_code == 200
    assert upstream.call_of(model).body["messages"] == messages


def test_a_stream_asks_the_provider_for_usage(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Usage is always learnt: the provider is asked for it, and the client's other stream options stay."""
    model = upstream.answers(b"data: [DONE]\n\n", content_type="text/event-stream")

    assert headgate.chat(model, stream=True, stream_options={"include_obfuscation": False}).status_code == 200
    options = upstream.call_of(model).body["stream_options"]
    assert options == {"include_obfuscation": False, "include_usage": True}


def test_a_whole_answer_asks_for_nothing_more(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Without a stream the body that the provider reads is the client's, but for the model's name."""
    model = echoed(upstream)

    headgate.chat(model, stream=False)
    assert upstream.call_of(model).body == chat_body(upstream_name(model), stream=False)


def test_embeddings_pass_through(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Embedding requests reach the provider whole, under its own name of the model."""
    model = upstream.answers(b'{"object":"list","data":[],"usage":{"prompt_tokens":2,"total_tokens":2}}')
    body = {"model": model, "input": ["a", "b"], "input_type": "query", "dimensions": 3}

    assert headgate.post("/v1/embeddings", body).status_code == 200
    call = upstream.call_of(model)
    assert call.target == "/v1/embeddings"
    assert call.body == {**body, "model": upstream_name(model)}


def test_the_provider_gets_its_own_key_and_no_header_of_the_client(
    headgate: Headgate, stack: Stack, sim: SimulatedProvider, upstream: ScriptedUpstream
) -> None:
    """The client's key, cookies and other headers stay here; the provider sees the deployment's key alone."""
    model = echoed(upstream)
    private = {"cookie": "session=1", "x-forwarded-for": "192.0.2.7", "x-api-key": "mine", "user-agent": "me/1.0"}
    answer = headgate.call("POST", "/v1/chat/completions", json=chat_body(model), headers=private)
    assert answer.status_code == 200

    sent = upstream.call_of(model)
    assert sent.headers["authorization"].startswith("Bearer sk-e2e-")
    assert headgate.key not in str(sent.headers)
    assert not {"cookie", "x-forwarded-for", "x-api-key"} & set(sent.headers)
    assert "me/1.0" not in sent.headers.values()

    assert headgate.chat(sim_model()).status_code == 200
    shown = sim.stats()["last_request"]["headers"]["authorization"]
    assert shown == hashlib.sha256(f"Bearer {stack.state.secrets()['SIM_API_KEY']}".encode()).hexdigest()[:16]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_headers_of_the_answer(headgate: Headgate, upstream: ScriptedUpstream, stream: bool) -> None:
    """Headers that clients use come back: timing, request id. What names the upstream, or tells of our account there,
    does not.
    """
    kept = "x-request-id: req_1\r\nopenai-processing-ms: 5\r\n"
    dropped = (
        "server: nginx\r\nset-cookie: a=b\r\nvia: 1.1 secret-host\r\nopenai-organization: org-ours\r\nx-own: 1\r\n"
        "x-ratelimit-remaining-tokens: 9\r\n"
    )
    content_type = "text/event-stream" if stream else "application/json"
    content = b"data: [DONE]\n\n" if stream else b"{}"
    model = upstream.answers(content, content_type=content_type, more=kept + dropped)

    answer = headgate.chat(model, stream=stream)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-request-id"] == "req_1"
    assert answer.headers["openai-processing-ms"] == "5"
    unseen = {"server", "set-cookie", "via", "openai-organization", "x-own", "x-ratelimit-remaining-tokens"}
    assert not unseen & set(answer.headers)
