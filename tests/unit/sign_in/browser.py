"""A browser: it keeps cookies as one does, follows nobody by itself, and knows what a provider would be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from lib.config import AccountConfig, SignUp
from tests.unit.sign_in.fake_issuer import ISSUER, FakeIssuer, query_of
from tests.unit.world import Answer, World, new_world

PUBLIC_URL = "https://us.example"
AUTH = "/api/v1/auth"

# What a browser says when somebody has pressed a link of a page of ours.
PRESSED = {
    "sec_fetch_site": "same-origin", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document", "sec_fetch_user": "?1",
}  # fmt: skip


@dataclass
class Browser:
    """One person's browser at a Headgate where one may sign in with the issuer `acme`."""

    world: World
    issuer: FakeIssuer
    cookies: dict[str, str] = field(default_factory=dict)
    crossing: set[str] = field(default_factory=set)  # those that go with another site's POST
    shown: dict[str, str] = field(default_factory=dict)  # what the provider was shown last

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        posted = method == "POST" and headers.get("sec-fetch-site") == "cross-site"
        kept = {name: value for name, value in self.cookies.items() if not posted or name in self.crossing}
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in kept.items())} if kept else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.world.ask(method, path, body, key=None, headers=sent)
        for text in [answer.headers.get("set-cookie"), *answer.cookies]:
            if text:
                name, value = text.partition(";")[0].split("=", 1)
                self.cookies[name] = value
                self.crossing.discard(name)
                if "SameSite=None" in text:
                    self.crossing.add(name)
                if "Max-Age=0" in text:
                    del self.cookies[name]
        return answer

    def start(self, name: str = "acme", **query: str) -> Answer:
        """Be sent to the provider by a page of ours, which somebody has pressed a link of."""
        return self.led(PRESSED, name, **query)

    def led(self, headers: Mapping[str, str], name: str = "acme", **query: str) -> Answer:
        """Be sent to the provider, which keeps what it is shown."""
        answer = self.ask("GET", f"{AUTH}/{name}/start?{urlencode(query)}", **headers)
        if answer.status == 303:
            self.go(answer.headers["location"])
        return answer

    def go(self, url: str) -> None:
        self.shown = query_of(url)
        self.issuer.nonce, self.issuer.now = self.shown["nonce"], self.world.clock.now()

    def back(self, name: str = "acme", **query: str) -> Answer:
        """Come back from the provider, with a code."""
        fields = {"code": "the code", "state": self.shown["state"], **query}
        return self.ask("GET", f"{AUTH}/{name}/callback?{urlencode(fields)}")

    def back_by_post(self, name: str = "acme", **form: str) -> Answer:
        """Come back as the provider's page makes the browser post it, from its own site."""
        fields = {"code": "the code", "state": self.shown["state"], **form}
        said = {"content-type": "application/x-www-form-urlencoded", "origin": ISSUER, "sec-fetch-site": "cross-site"}
        path = f"{AUTH}/{name}/callback"
        return self.ask("POST", path, urlencode(fields).encode(), **said)

    def sign_in(self, **query: str) -> Answer:
        self.start(**query)
        return self.back()

    def sign_in_invited(self, invitation: str) -> Answer:
        """The same, begun by the script of a page of ours, which has the invitation from behind its address's `#`."""
        answer = self.ask("POST", f"{AUTH}/acme/start", {"invitation": invitation}, sec_fetch_site="same-origin")
        assert answer.status == 200, answer.body
        self.go(answer.data["authorization_url"])
        return self.back()

    def session(self) -> Any:
        """Return one's own session as it is shown; None where one is not signed in."""
        answer = self.ask("GET", "/api/v1/sessions/current")
        return answer.data if answer.status == 200 else None

    def other(self) -> Browser:
        """Return another browser, at the same Headgate."""
        return Browser(self.world, self.issuer)


def browser(sign_up: SignUp = SignUp.OPEN, *domains: str, **claims: Any) -> Browser:
    account = AccountConfig(sign_up=sign_up, sign_up_domains=frozenset(domains), public_url=PUBLIC_URL)
    world, issuer = new_world(account=account), FakeIssuer(claims=claims)
    world.parts = replace(world.parts, issuers={"acme": issuer.provider(), "other": FakeIssuer().provider()})
    return Browser(world, issuer)
