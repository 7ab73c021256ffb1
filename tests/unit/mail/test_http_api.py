"""What a provider with Resend's API gets, and what its answers mean."""

from __future__ import annotations

import json

import pytest

from lib.mail import http_api
from lib.mail.mailer import MailFailure
from lib.mail.port import Message


def test_a_message_is_sent_as_the_provider_wants_it() -> None:
    """Both texts, one recipient, and an id by which a second attempt is no second mail."""
    body = json.loads(http_api.body(Message("a@b.example", "Héllo", "t", "<p>h</p>"), "Headgate <no-reply@b.example>"))
    assert body == {
        "from": "Headgate <no-reply@b.example>",
        "to": ["a@b.example"],
        "subject": "Héllo",
        "text": "t",
        "html": "<p>h</p>",
    }
    headers = http_api.headers("re_key", "once")
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer re_key", "once")


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success(status: int) -> None:
    http_api.check(status)


@pytest.mark.parametrize(
    ("status", "again"), [(302, False), (401, False), (403, False), (422, False), (429, True), (500, True), (503, True)]
)
def test_a_refusal_is_final_and_trouble_is_not(status: int, again: bool) -> None:
    """A redirect is a refusal: our key does not go where it leads."""
    with pytest.raises(MailFailure) as raised:
        http_api.check(status)
    assert raised.value.again == again
