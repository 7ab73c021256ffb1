"""A message as an HTTP provider takes it: the shape of Resend's API, which others have taken over. No I/O.

https://resend.com/docs/api-reference/emails/send-email
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lib.mail.mailer import MailFailure
from lib.mail.port import Message

SECONDS = 15


def headers(api_key: str, once: str) -> Mapping[str, str]:
    """Return the request's headers. The provider drops a second request with the same idempotency key."""
    return {
        "authorization": f"Bearer {api_key}",
        "content-type": "application/json",
        "idempotency-key": once,
        "user-agent": "headgate",
    }


def body(message: Message, sender: str) -> bytes:
    """Return the request's body. `sender` is an address, with or without a name before it."""
    sent = {
        "from": sender,
        "to": [message.to],
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
    }
    return json.dumps(sent, ensure_ascii=False).encode()


def check(status: int) -> None:
    """Raise MailFailure for an answer that is no success. Its body is not looked at: it may name the address."""
    if not 200 <= status < 300:
        raise MailFailure(f"the provider answers {status}", again=status == 429 or status >= 500)
