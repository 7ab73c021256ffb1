"""How a message is handed over, whoever takes it: checked, tried again where that helps, and told when it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from lib import failures
from lib.failures import Failure
from lib.http.errors import Unavailable
from lib.mail.port import Message

# How long before each further attempt. Nobody waits for it: the answer has begun.
WAITS_SECONDS = (0.5, 3.0)


class MailFailure(Exception):
    """A message was not taken. `again`: it may be taken later. The text is for operators, and names nobody."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class Transport(Protocol):
    """The platform's side: hands a message over once."""

    async def deliver(self, message: Message, once: str) -> None:
        """Raise MailFailure where it is not taken. Two deliveries with one `once` should be one mail."""
        ...


class TransportMailer:
    """Implements `lib.mail.port.Mailer`."""

    def __init__(
        self, transport: Transport, new_id: Callable[[], str], waits: tuple[float, ...] = WAITS_SECONDS
    ) -> None:
        self._transport = transport
        self._new_id = new_id
        self._waits = waits

    async def send(self, message: Message) -> None:
        if any(sign in text for text in (message.to, message.subject) for sign in "\r\n"):
            raise ValueError("an address or a subject has a line break")  # a header of somebody else's could follow
        once = self._new_id()
        for wait in (*self._waits, None):
            try:
                await self._transport.deliver(message, once)
            except MailFailure as failure:
                if wait is None or not failure.again:
                    failures.note(Failure.MAIL_UNSENT, str(failure))
                    raise Unavailable("The mail can't be sent. Try again.", code="mail_unavailable") from None
                await asyncio.sleep(wait)
            else:
                return


class NoMailer:
    """For a deployment without mail: whoever waits for one waits in vain, and the operator is told."""

    async def send(self, _message: Message) -> None:
        failures.note(Failure.MAIL_UNSENT, "MAIL is not set")
        raise Unavailable("No mail is configured here.", code="mail_unavailable")
