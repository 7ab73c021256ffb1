"""Handing a mail over: again where that helps, once where it might become two, and never in silence."""

from __future__ import annotations

import asyncio

import pytest

from lib.http.response import AFTERWARDS_SECONDS
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure, counts
from lib.mail.mailer import SECONDS, MailFailure, NoMailer, TransportMailer
from lib.mail.port import Message
from tests.unit.fakes import run

MESSAGE = Message("a@b.example", "Hello", "text", "<p>text</p>")


class Scripted:
    """A transport that fails as it is told, and then takes what comes."""

    def __init__(self, *failures: MailFailure) -> None:
        self._failures = list(failures)
        self.attempts: list[str] = []
        self.taken: list[Message] = []

    async def deliver(self, message: Message, once: str) -> None:
        self.attempts.append(once)
        if self._failures:
            raise self._failures.pop(0)
        self.taken.append(message)


def send(transport: Scripted, message: Message = MESSAGE) -> None:
    run(TransportMailer(transport, lambda: "id", waits=(0, 0)).send(message))


def test_a_mail_is_handed_over_once() -> None:
    """When it is taken at once."""
    transport = Scripted()
    send(transport)
    assert (transport.taken, transport.attempts) == ([MESSAGE], ["id"])
    assert counts() == {}


def test_what_may_pass_is_tried_again_as_the_same_mail() -> None:
    """With the same id, by which a provider drops a second one."""
    transport = Scripted(MailFailure("busy", again=True), MailFailure("busy", again=True))
    send(transport)
    assert (transport.taken, transport.attempts) == ([MESSAGE], ["id"] * 3)


class Silent:
    """A transport that never answers."""

    async def deliver(self, _message: Message, once: str) -> None:  # noqa: ARG002 - the port names it
        await asyncio.sleep(3600)


def test_a_mail_that_takes_too_long_is_told() -> None:
    """All attempts together have one deadline: what runs after an answer is ended by the platform without a word."""
    with pytest.raises(Unavailable):
        run(TransportMailer(Silent(), lambda: "id", seconds=0.01).send(MESSAGE))
    assert counts() == {Failure.MAIL_UNSENT.name.lower(): 1}
    assert SECONDS < AFTERWARDS_SECONDS < 30


def test_a_mail_that_is_a_part_of_what_takes_too_long_is_told() -> None:
    """Whoever has the longer deadline."""

    async def work() -> None:
        async with asyncio.timeout(0.01):
            await TransportMailer(Silent(), lambda: "id").send(MESSAGE)

    with pytest.raises(TimeoutError):
        run(work())
    assert counts() == {Failure.MAIL_UNSENT.name.lower(): 1}


@pytest.mark.parametrize(("again", "attempts"), [(True, 3), (False, 1)])
def test_what_fails_for_good_is_told(again: bool, attempts: int) -> None:
    """To the caller and to the operator."""
    transport = Scripted(*[MailFailure("no", again=again)] * 5)
    with pytest.raises(Unavailable) as raised:
        send(transport)
    assert raised.value.code == "mail_unavailable"
    assert len(transport.attempts) == attempts
    assert counts() == {Failure.MAIL_UNSENT.name.lower(): 1}


@pytest.mark.parametrize("part", ["to", "subject"])
@pytest.mark.parametrize("sign", ["\r\n", "\n", "\r"])
def test_no_header_can_be_smuggled_in(part: str, sign: str) -> None:
    """A line break in what becomes a header would begin another."""
    parts = {"to": "a@b.example", "subject": "Hello", part: f"x{sign}Bcc: everybody@b.example"}
    transport = Scripted()
    with pytest.raises(ValueError, match="line break"):
        send(transport, Message(**parts, text="", html=""))
    assert transport.attempts == []


def test_without_mail_nobody_believes_that_one_was_sent() -> None:
    """The operator is told what is not set."""
    with pytest.raises(Unavailable):
        run(NoMailer().send(MESSAGE))
    assert counts() == {"mail_unsent": 1}
