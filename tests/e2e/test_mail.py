"""Mail, by each way that it can take: the outbox of `make dev`, a provider's HTTP API, and Cloudflare's binding."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from lib.kernel.failures import Failure
from tests.e2e.support import log
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.poll import until
from tests.e2e.support.stacks import Stacks

PASSWORD, NEW_PASSWORD = "nine lives for cats", "eight arms for squids"
API_KEY = "re_a-key-that-no-log-may-hold"


def new_address() -> str:
    return f"{letters(12)}@wonder.example"


def sign_up(http: httpx.Client, base_url: str) -> str:
    email = new_address()
    form = {"email": email, "password": PASSWORD, "name": "Alice"}
    assert http.post(f"{base_url}/api/v1/users", json=form).status_code == 202
    return email


class Reader:
    """Reads the outbox as a program does."""

    def __init__(self, headgate: Headgate) -> None:
        self.headgate = headgate

    def mails(self, to: str) -> list[dict[str, Any]]:
        answer = self.headgate.http.get(f"{self.headgate.base_url}/dev/outbox", headers={"accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return [mail for mail in answer.json()["data"]["mails"] if mail["to"] == to]

    def enough(self, to: str, number: int) -> list[dict[str, Any]] | None:
        found = self.mails(to)
        return found if len(found) >= number else None

    def link(self, to: str, number: int) -> tuple[str, str]:
        """Return path and token of the newest mail, once there are so many."""
        mails = until(lambda: self.enough(to, number), f"{number} mails to {to}")
        [(path, token)] = re.findall(re.escape(self.headgate.base_url) + r"(/\S+)#token=(\S+)", mails[0]["text"])
        return path, token


def test_every_flow_can_be_walked_from_the_outbox(headgate: Headgate) -> None:
    """Sign up and confirm; forget the password and choose another: each link leads to a page and works once."""
    reader, post = Reader(headgate), headgate.http.post
    users = f"{headgate.base_url}/api/v1/users"
    email = sign_up(headgate.http, headgate.base_url)
    path, token = reader.link(email, 1)
    page = headgate.http.get(headgate.base_url + path)
    assert (page.status_code, "Confirm your address" in page.text) == (200, True)
    assert post(f"{users}/actions/verify_email", json={"token": token}).status_code in (200, 204)
    assert post(f"{users}/actions/verify_email", json={"token": token}).status_code == 422

    assert post(f"{users}/actions/request_password_reset", json={"email": email}).status_code == 202
    path, token = reader.link(email, 2)
    assert "Choose a new password" in headgate.http.get(headgate.base_url + path).text
    body = {"token": token, "password": NEW_PASSWORD}
    assert post(f"{users}/actions/reset_password", json=body).status_code in (200, 204)
    until(lambda: reader.enough(email, 3), "a mail that tells the owner")

    shown = headgate.http.get(f"{headgate.base_url}/dev/outbox").text
    assert email in shown
    assert "<script" not in shown
    foreign = headgate.http.get(f"{headgate.base_url}/dev/outbox", headers={"host": "evil.example"})
    assert (foreign.status_code, email in foreign.text) == (404, False)


class Provider:
    """Stands for a provider with Resend's API: fails as often as it is told, then takes what comes."""

    failures: ClassVar[list[int]] = []
    seen: ClassVar[list[tuple[dict[str, str], dict[str, Any]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            Provider.seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(Provider.failures.pop(0) if Provider.failures else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be silent."""


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider.Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/emails"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_providers_api_takes_mails(stacks: Stacks, http: httpx.Client, provider: str) -> None:
    """With our key; tried again as the same mail; and a refusal is told in the log, without address, link or key."""
    variables = {
        "MAIL": "http",
        "MAIL_FROM": "Headgate <no-reply@b.example>",
        "MAIL_API_URL": provider,
        "MAIL_API_KEY": API_KEY,
    }
    with stacks.new("http-mail", variables=variables) as stack:
        assert http.get(f"{stack.base_url}/dev/outbox").status_code == 404
        Provider.failures[:] = [500]
        email = sign_up(http, stack.base_url)
        until(lambda: len(Provider.seen) >= 2, "a second attempt")
        seen, (headers, body) = list(Provider.seen), Provider.seen[1]
        assert headers["authorization"] == f"Bearer {API_KEY}"
        assert headers["idempotency-key"] == seen[0][0]["idempotency-key"]
        assert (body["from"], body["to"]) == ("Headgate <no-reply@b.example>", [email])
        assert f"{stack.base_url}/verify-email#token=" in body["text"]

        Provider.failures[:] = [422]
        refused = sign_up(http, stack.base_url)
        log.told(stack, Failure.MAIL_UNSENT.name.lower())
        said = log.told(stack, "the provider answers 422")
        assert [word for word in (API_KEY, refused, email, "#token=") if word in said] == []


def test_cloudflares_binding_takes_mails(stacks: Stacks, http: httpx.Client) -> None:
    """As wrangler keeps them locally: from whom, to whom, and with both texts."""
    variables = {"MAIL": "cloudflare", "MAIL_FROM": "Headgate <no-reply@b.example>"}
    with stacks.new("cloudflare-mail", variables=variables) as stack:
        sign_up(http, stack.base_url)
        sent = re.compile(r"Text: (\S+)")
        found = until(lambda: sent.search(log.text(stack)), "what wrangler says of the mail")
        text = Path(found[1]).read_text(encoding="utf-8")
        assert f"{stack.base_url}/verify-email#token=" in text
    assert "mail_unsent" not in log.text(stack)  # all is over: its processes have ended
