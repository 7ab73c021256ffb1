"""A provider of mail that is asked over HTTP: the shape of Resend's API, which others have taken over.

https://resend.com/docs/api-reference/emails/send-email
"""

from __future__ import annotations

import httpx

from lib.mail.mailer import MailFailure
from lib.mail.port import Message


class HttpApi:
    """Implements `lib.mail.mailer.Transport`. `sender` is an address, with or without a name before it."""

    def __init__(self, http: httpx.AsyncClient, url: str, api_key: str, sender: str) -> None:
        self._http = http
        self._url = url
        self._api_key = api_key
        self._sender = sender

    async def deliver(self, message: Message, once: str) -> None:
        """Send it. The provider drops a second request with the same idempotency key."""
        headers = {"authorization": f"Bearer {self._api_key}", "idempotency-key": once}
        sent = {
            "from": self._sender,
            "to": [message.to],
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
        }
        try:
            async with self._http.stream("POST", self._url, headers=headers, json=sent) as answer:
                check(answer.status_code)
        except httpx.TransportError as error:
            raise MailFailure(f"the provider can't be reached: {type(error).__name__}", again=True) from None


def check(status: int) -> None:
    """Raise MailFailure for an answer that is no success. Its body is not looked at: it may name the address."""
    if not 200 <= status < 300:
        raise MailFailure(f"the provider answers {status}", again=status == 429 or status >= 500)
