"""Who takes our mails: Cloudflare's binding, a provider's HTTP API, or the local outbox in KV."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, to_js

from lib.config import ConfigError, MailConfig, MailKind
from lib.kernel.clock import Clock
from lib.kernel.ids import new_id
from lib.mail import sent_mail as outbox
from lib.mail.http_api import HttpApi
from lib.mail.mailer import ATTEMPT_SECONDS, MailFailure, NoMailer, Transport, TransportMailer
from lib.mail.port import Mailer, Message
from lib.mail.sent_mail import KeptMail, SentMail
from lib.runtime.fetch_transport import fetch_client


class JsEmail:
    """Implements `lib.mail.mailer.Transport` on a send_email binding.

    https://developers.cloudflare.com/email-routing/email-workers/send-email-workers/
    """

    def __init__(self, binding: Any, address: str, name: str) -> None:
        self._binding = binding
        self._from = {"email": address, "name": name} if name else address

    async def deliver(self, message: Message, once: str) -> None:  # noqa: ARG002 - the binding knows no such thing
        sent = {
            "from": self._from,
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
        }
        try:
            await asyncio.wait_for(self._send(to_js(sent, dict_converter=Object.fromEntries)), ATTEMPT_SECONDS)
        except TimeoutError:  # it may have been taken, and nothing would keep a second from being another mail
            raise MailFailure("the binding does not answer", again=False) from None
        except JsException as error:
            # Its message may name the address.
            raise MailFailure(f"the binding refuses: {error.name or 'Error'}", again=False) from None

    async def _send(self, message: Any) -> None:
        """Call the binding's `send`, without Python ever touching it.

        Locally the binding is a stub that has every property, so Pyodide takes it for a generator and `send` for a
        generator's; and the property itself it takes for a promise. So JavaScript looks it up and calls it:
        `[message].map(binding.send, binding)`.
        """
        arguments = js.Array.of("send").map(js.Reflect.get.bind(None, self._binding))
        arguments.push(self._binding)
        await js.Promise.all(js.Reflect.apply(js.Array.prototype.map, js.Array.of(message), arguments))


class KvOutbox:
    """Implements `lib.mail.mailer.Transport` and `lib.mail.sent_mail.Outbox` on a KV binding."""

    def __init__(self, binding: Any, clock: Clock) -> None:
        self._binding = binding
        self._clock = clock

    async def deliver(self, message: Message, once: str) -> None:
        name, text = outbox.kept(message, once, self._clock.now())
        options = to_js({"expirationTtl": outbox.KEPT_SECONDS}, dict_converter=Object.fromEntries)
        try:
            await self._binding.put(name, text, options)
        except JsException as error:
            raise MailFailure(f"KV: {error.message}", again=True) from None

    async def newest(self, most: int) -> Sequence[KeptMail]:
        asked = to_js({"prefix": outbox.PREFIX, "limit": most}, dict_converter=Object.fromEntries)
        names = [entry["name"] for entry in json.loads(js.JSON.stringify(await self._binding.list(asked)))["keys"]]
        texts = [await self._binding.get(name) for name in names]
        return [outbox.read(text) for text in texts if isinstance(text, str)]


def mail_of(env: Any, config: MailConfig, clock: Clock) -> tuple[Mailer, SentMail | None]:
    """Return who sends mails, and the outbox where there is one. Raises ConfigError."""
    if config.kind is MailKind.NONE:
        return NoMailer(), None
    if config.kind is MailKind.OUTBOX:
        kept = KvOutbox(_binding(env, "CACHE"), clock)
        return _mailer(kept, clock), kept
    if config.kind is MailKind.CLOUDFLARE:
        return _mailer(JsEmail(_binding(env, "EMAIL"), config.address, config.name), clock), None
    http = fetch_client(ATTEMPT_SECONDS, most_bytes=0)
    return _mailer(HttpApi(http, config.api_url, config.api_key, config.sender), clock), None


def _mailer(transport: Transport, clock: Clock) -> TransportMailer:
    return TransportMailer(transport, lambda: new_id(clock.now()))


def _binding(env: Any, name: str) -> Any:
    binding = getattr(env, name, None)
    if binding is None:
        raise ConfigError(f"MAIL needs the binding {name}: see wrangler.toml")
    return binding
