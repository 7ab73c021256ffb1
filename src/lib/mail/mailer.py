"""How a message is handed over, whoever takes it: checked, tried again where that helps, and told when it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn, Protocol

from lib.kernel import failures
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure
from lib.mail.port import Message

# How long before each further attempt. Nobody waits for it: the answer has begun.
WAITS_SECONDS = (0.5, 3.0)
# Of all attempts together: with what comes before them within `AFTERWARDS_SECONDS` of lib.http.response.
SECONDS = 22.0
ATTEMPT_SECONDS = 8  # of one: three of them and the waits are hardly more than all may take


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
        self,
        transport: Transport,
        new_id: Callable[[], str],
        waits: tuple[float, ...] = WAITS_SECONDS,
        seconds: float = SECONDS,
    ) -> None:
        self._transport = transport
        self._new_id = new_id
        self._waits = waits
        self._seconds = seconds

    async def send(self, message: Message) -> None:
        if any(sign in text for text in (message.to, message.subject) for sign in "\r\n"):
            raise ValueError("an address or a subject has a line break")  # a header of somebody else's could follow
        try:
            async with asyncio.timeout(self._seconds):
                await self._deliver(message, self._new_id())
        except MailFailure as failure:
            _unsent(str(failure))
        except TimeoutError:
            _unsent(f"nobody took it within {self._seconds:g} s")
        except asyncio.CancelledError:  # what it was a part of took too long
            failures.note(Failure.MAIL_UNSENT, "there was no time left for it")
            raise

    async def _deliver(self, message: Message, once: str) -> None:
        for wait in self._waits:
            try:
                return await self._transport.deliver(message, once)
            except MailFailure as failure:
                if not failure.again:
                    raise
            await asyncio.sleep(wait)
        return await self._transport.deliver(message, once)


def _unsent(reason: str) -> NoReturn:
    failures.note(Failure.MAIL_UNSENT, reason)
    raise Unavailable("The mail can't be sent. Try again.", code="mail_unavailable") from None


class NoMailer:
    """For a deployment without mail: whoever waits for one waits in vain, and the operator is told."""

    async def send(self, _message: Message) -> None:
        failures.note(Failure.MAIL_UNSENT, "MAIL is not set")
        raise Unavailable("No mail is configured here.", code="mail_unavailable")
