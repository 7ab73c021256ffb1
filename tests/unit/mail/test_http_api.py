"""What a provider with Resend's API gets, and what its answers mean."""

from __future__ import annotations

import json

import httpx
import pytest
import respx

from lib.mail.http_api import HttpApi
from lib.mail.mailer import MailFailure
from lib.mail.port import Message
from tests.unit.fakes import run

URL, MESSAGE = "https://mail.example/emails", Message("a@b.example", "Héllo", "t", "<p>h</p>")


def delivered(answer: httpx.Response | Exception) -> httpx.Request:
    """Hand one message over; return what the provider got."""
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=[answer])
    http = httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler))
    run(HttpApi(http, URL, "re_key", "Headgate <no-reply@b.example>").deliver(MESSAGE, "once"))
    return router.calls.last.request


def test_a_message_is_sent_as_the_provider_wants_it() -> None:
    """Both texts, one recipient, and an id by which a second attempt is no second mail."""
    sent = delivered(httpx.Response(200))
    assert json.loads(sent.content) == {
        "from": "Headgate <no-reply@b.example>",
        "to": ["a@b.example"],
        "subject": "Héllo",
        "text": "t",
        "html": "<p>h</p>",
    }
    assert (sent.headers["authorization"], sent.headers["idempotency-key"]) == ("Bearer re_key", "once")
    assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success(status: int) -> None:
    delivered(httpx.Response(status))


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        *[(httpx.Response(status), False) for status in (302, 401, 403, 422)],
        *[(httpx.Response(status), True) for status in (429, 500, 503)],
        (httpx.ConnectError("no answer"), True),
        (httpx.ReadTimeout("no answer in time"), True),
    ],
)
def test_a_refusal_is_final_and_trouble_is_not(answer: httpx.Response | Exception, again: bool) -> None:
    """A redirect is a refusal: our key does not go where it leads."""
    with pytest.raises(MailFailure) as raised:
        delivered(answer)
    assert raised.value.again == again
