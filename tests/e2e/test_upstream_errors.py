"""Errors of a provider: the client gets what the provider said, and nothing that is ours to keep."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.log import after
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.sim import SimulatedProvider
from tools.stack import Stack

pytestmark = pytest.mark.once

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@STREAMED
@pytest.mark.parametrize("status", [400, 404, 409, 413, 418, 422, 429, 451, 500, 502, 503, 504, 529])
def test_an_error_is_handed_on(headgate: Headgate, sim: SimulatedProvider, status: int, stream: bool) -> None:
    """Status, body, request id and Retry-After are the provider's, and a refused stream is an HTTP error."""
    model = sim_model(f"err{status}")

    answer = headgate.chat(model, stream=stream)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == sim.chat_bytes(model)
    assert answer.headers["x-request-id"].startswith("req_sim_")
    assert answer.headers["x-headgate-request-id"] != answer.headers["x-request-id"]
    assert answer.headers.get("retry-after") == ("1" if status in {429, 503} else None)


def test_a_refusal_costs_nothing(headgate: Headgate) -> None:
    """A refused call has a record with the provider's status, without tokens and without an estimate."""
    model = sim_model("err429")

    headgate.chat(model)

    record = headgate.record(model)
    assert (record["cause"], record["status"], record["estimated"]) == ("upstream_refused", 429, False)
    assert (record["input_tokens"], record["output_tokens"], record["cost_nano_usd"]) == (0, 0, 0)


@STREAMED
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(headgate: Headgate, upstream: ScriptedUpstream, status: int, stream: bool) -> None:
    """Following a redirect would carry the provider's key to another address: it is a 502 that tells none."""
    target = f"{upstream.url}/v1/somewhere-else"
    model = upstream.answers(b"", status=f"{status} Moved", more=f"location: {target}\r\n")

    answer = headgate.chat(model, stream=stream)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_error"
    assert "location" not in answer.headers
    assert "somewhere-else" not in answer.text
    upstream.call_of(model)  # which fails when there was more than one


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/plain", ""])
def test_a_page_of_some_proxy(headgate: Headgate, upstream: ScriptedUpstream, content_type: str) -> None:
    """An error that is no JSON keeps its status and Retry-After, and gets a body that SDKs can read."""
    page = b"<html><h1>503</h1>nginx at 10.1.2.3</html>"
    model = upstream.answers(page, content_type=content_type, status="503 Busy", more="retry-after: 7\r\n")

    answer = headgate.chat(model)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "upstream_error"
    assert "nginx" not in answer.text


@STREAMED
def test_an_error_that_quotes_the_providers_key(
    headgate: Headgate, upstream: ScriptedUpstream, stack: Stack, stream: bool
) -> None:
    """Providers quote keys in their errors, whole or in part: neither the answer nor the log shows ours."""
    text = f"Incorrect API key provided: {PROVIDER_KEY}, or {PROVIDER_KEY[:10]}***{PROVIDER_KEY[-4:]}."
    json_body = b'{"error":{"message":"%s","type":"invalid_request_error"}}' % text.encode()
    for content, content_type in ((json_body, "application/json"), (text.encode(), "text/plain")):
        model = upstream.answers(content, content_type=content_type, status="400 Bad Request")

        answer = headgate.chat(model, stream=stream)

        assert answer.status_code == 400
        assert answer.json()["error"]["message"]
        assert PROVIDER_KEY[-4:] not in answer.text
        assert PROVIDER_KEY[:10] not in answer.text
        assert PROVIDER_KEY not in after(stack, answer)


@STREAMED
@pytest.mark.parametrize("status", [401, 403])
def test_the_deployments_own_key_is_refused(
    headgate: Headgate, upstream: ScriptedUpstream, stack: Stack, status: int, stream: bool
) -> None:
    """It is not the caller's that is wrong: a 502 that no SDK tries again, and a line that tells the operator why."""
    reason = f"reason-{letters()}: no key {PROVIDER_KEY}"
    body = b'{"error":{"message":"%s","code":"invalid_api_key"}}' % reason.encode()
    model = upstream.answers(body, status=f"{status} No", more="www-authenticate: Bearer\r\nretry-after: 1\r\n")

    answer = headgate.chat(model, stream=stream)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "provider_refused_key"
    assert answer.headers["x-should-retry"] == "false"
    assert not {"www-authenticate", "retry-after"} & set(answer.headers)
    assert headgate.record(model)["status"] == status
    log = after(stack, answer)
    [line] = [line for line in log.splitlines() if reason.partition(":")[0] in line and "dependency_failed" in line]
    assert "provider_refused_key" in line
    assert PROVIDER_KEY not in log


def test_a_rate_limit_keeps_what_clients_wait_by(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """The headers by which SDKs decide whether and when to try again come through."""
    more = "retry-after: 20\r\nretry-after-ms: 19500\r\nx-should-retry: false\r\n"
    theirs = "x-ratelimit-reset-requests: 20s\r\nx-ratelimit-remaining-tokens: 17\r\n"
    model = upstream.answers(b'{"error":{"message":"slow down"}}', status="429 Too Many Requests", more=more + theirs)

    answer = headgate.chat(model)

    wanted: dict[str, Any] = dict(line.split(": ") for line in more.strip().split("\r\n"))
    assert {name: answer.headers[name] for name in wanted} == wanted
    assert not [name for name in answer.headers if name.startswith("x-ratelimit-")], "our account's is not the caller's"
