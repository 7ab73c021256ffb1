"""Mail as the services see it: one message, and who sends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one address, as text and as HTML that says the same."""

    to: str
    subject: str
    text: str
    html: str


class Mailer(Protocol):
    """Sends mail. Call it when the answer has begun: how long it takes would tell who has an account."""

    async def send(self, message: Message) -> None:
        """Hand a message over. Raises Unavailable when it can't be."""
        ...
