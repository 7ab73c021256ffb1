"""The local outbox: mails that are kept instead of sent, and the page that shows them. Only for `make dev`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from html import escape
from typing import Protocol

from lib.mail.port import Message

MOST_SHOWN = 50
KEPT_SECONDS = 86_400
PREFIX = "outbox:"
_LAST_MS = 10**15 - 1
_LINK = re.compile(r"https?://[^\s<>\"']+")
# Links may be followed; nothing is loaded, run or sent.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
article { border: 1px solid #8886; border-radius: .4rem; margin: 1rem 0; padding: .5rem 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.45 ui-monospace, monospace; }
h2 { font-size: 1.1rem; margin: .25rem 0; } .quiet { opacity: .7; }
"""


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that would have been sent. `sent_at` is UTC, in ISO 8601."""

    id: str
    to: str
    subject: str
    text: str
    html: str
    sent_at: str


class SentMail(Protocol):
    """Where they are kept, for a day."""

    async def newest(self, most: int) -> Sequence[KeptMail]:
        """Return the newest first."""
        ...


def kept(message: Message, once: str, now: datetime) -> tuple[str, str]:
    """Return the name and the text under which a mail is kept. Names sort the newest first."""
    name = f"{PREFIX}{_LAST_MS - int(now.timestamp() * 1000):015d}:{once}"
    mail = KeptMail(once, message.to, message.subject, message.text, message.html, now.isoformat())
    return name, json.dumps(asdict(mail), ensure_ascii=False)


def read(text: str) -> KeptMail:
    """Return what `kept` has written."""
    return KeptMail(**json.loads(text))


def outbox_page(mails: Sequence[KeptMail]) -> bytes:
    """Return the page. What is in a mail is shown as text, and its links can be followed."""
    shown = "".join(map(_article, mails)) or "<p>No mails yet. Sign up, or ask for a new password.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Outbox</title>'
        f"<style>{_STYLE}</style></head><body><h1>Outbox</h1>"
        "<p>Mails that this Headgate has not sent, since it runs on your machine. The newest comes first.</p>"
        f"{shown}</body></html>"
    ).encode()


def _article(mail: KeptMail) -> str:
    return (
        f'<article id="{escape(mail.id)}"><h2>{escape(mail.subject)}</h2>'
        f'<p class="quiet">to {escape(mail.to)}, {escape(mail.sent_at)}</p><pre>{_linked(mail.text)}</pre>'
        f"<details><summary>as HTML</summary><pre>{escape(mail.html)}</pre></details></article>"
    )


def _linked(text: str) -> str:
    parts, at = [], 0
    for found in _LINK.finditer(text):
        address = escape(found[0])
        parts += [escape(text[at : found.start()]), f'<a href="{address}" rel="noreferrer">{address}</a>']
        at = found.end()
    return "".join([*parts, escape(text[at:])])
