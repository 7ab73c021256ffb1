"""An OpenID provider in memory, with real keys: it says what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import respx

from lib.issuers.configured import issuers_of
from lib.issuers.issuer import Identity, Issuer, Returned, SignInAttempt
from lib.issuers.settings import IssuerSettings
from lib.tokens.jwt import base64url_encode
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.cpython_signatures import CPythonSignatures

ISSUER = "https://login.acme.example"
SETTINGS = IssuerSettings(
    name="acme",
    issuer=ISSUER,
    authority=ISSUER,
    client_id="our client",
    client_secret="s3cret:/+",
    redirect_uri="https://us.example/api/v1/auth/acme/callback",
)
ATTEMPT = SignInAttempt("acme", "/", int(NOW.timestamp()) + 600, "state", "nonce", "verifier-" * 6)
SIGNATURES = CPythonSignatures()
PUBLIC, PRIVATE = run(SIGNATURES.new_key("ES256"))
OTHER_PUBLIC, OTHER_PRIVATE = run(SIGNATURES.new_key("ES256"))


def published(key_id: str = "k1", public: Mapping[str, Any] = PUBLIC, **more: object) -> dict[str, Any]:
    """Return a key as a set of keys lists it."""
    return {**public, "kid": key_id, "alg": "ES256", "use": "sig", **more}


@dataclass
class Asked:
    """One request that reached the provider."""

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str]


@dataclass
class FakeIssuer:
    """Answers an httpx client. `claims` change the ID token's; one that is None is left out. `raw` replaces it."""

    settings: IssuerSettings = SETTINGS
    now: datetime = NOW
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "ES256", "kid": "k1"})
    private: Mapping[str, Any] = field(default_factory=lambda: PRIVATE)
    keys: list[dict[str, Any]] = field(default_factory=lambda: [published()])
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    raw: str | None = None
    nonce: str = ATTEMPT.nonce
    answers: dict[str, httpx.Response] = field(default_factory=dict)  # in place of what is said by itself
    router: respx.MockRouter = field(default_factory=respx.MockRouter)

    def __post_init__(self) -> None:
        said: dict[tuple[str, str], Callable[[], object]] = {
            ("GET", f"{self.settings.authority}/.well-known/openid-configuration"): self.described,
            ("GET", f"{ISSUER}/keys"): lambda: {"keys": self.keys},
            ("POST", f"{ISSUER}/token"): lambda: {"access_token": "at", "id_token": self.id_token()},
            ("GET", f"{ISSUER}/userinfo"): lambda: self.userinfo,
        }
        for (method, url), say in said.items():
            self.router.route(method=method, url=url).mock(side_effect=self._saying(say))
        self.router.route().mock(side_effect=httpx.ConnectError("nobody there"))

    def provider(self) -> Issuer:
        return issuers_of([self.settings], client_of(self.router), SIGNATURES)[self.settings.name]

    @property
    def asked(self) -> list[Asked]:
        return [Asked(str(request.url), request.headers, form_of(request)) for request, _ in self.router.calls]

    def identify(self, provider: Issuer | None = None, issuer: str | None = None, **later: float) -> Identity:
        """Come back with a code; `later` is how much time has passed."""
        self.now = NOW + timedelta(**later)
        return run((provider or self.provider()).identify(ATTEMPT, Returned("the code", issuer), self.now))

    def looks(self, end: str) -> int:
        """Tell how often an address was asked that ends so."""
        return sum(asked.url.endswith(end) for asked in self.asked)

    def _saying(self, say: Callable[[], object]) -> Callable[[httpx.Request], httpx.Response]:
        return lambda request: self.answers.get(str(request.url)) or answer(say())

    def described(self) -> dict[str, Any]:
        return without_none(
            {
                "issuer": self.settings.issuer,
                "authorization_endpoint": f"{ISSUER}/auth",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
                "userinfo_endpoint": f"{ISSUER}/userinfo",
                **self.metadata,
            }
        )

    def id_token(self) -> str:
        if self.raw is not None:
            return self.raw
        seconds = int(self.now.timestamp())
        claims = {
            "iss": ISSUER, "aud": self.settings.client_id, "sub": "alice", "iat": seconds, "exp": seconds + 300,
            "nonce": self.nonce, "email": "alice@wonder.example", "email_verified": True, "name": "Alice",
        }  # fmt: skip
        return signed(self.header, without_none({**claims, **self.claims}), self.private)


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], private: Mapping[str, Any]) -> str:
    """Return a token with any header, signed with ES256."""
    text = f"{base64url_encode(json.dumps(header).encode())}.{base64url_encode(json.dumps(claims).encode())}"
    return f"{text}.{base64url_encode(run_now(private, text))}"


def run_now(private: Mapping[str, Any], text: str) -> bytes:
    """Sign within a running loop: what signs on CPython waits for nothing."""
    work = SIGNATURES.sign("ES256", private, text.encode())
    try:
        work.send(None)
    except StopIteration as done:
        return bytes(done.value)
    raise AssertionError("signing has waited")


def client_of(router: respx.MockRouter) -> httpx.AsyncClient:
    """Return a client that only ever reaches what a test has mocked."""
    return httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler))


def form_of(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode(), strict_parsing=True))


def answer(value: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=value) if isinstance(value, bytes) else httpx.Response(status, json=value)


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def query_of(url: str) -> dict[str, str]:
    """Return the fields of an address, each of which must be there once."""
    fields = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: values[0] for name, values in fields.items()}
