"""What signing in with others asks of a provider, whichever protocol that speaks."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from lib.issuers.oidc_client import ProviderFailure
from lib.issuers.settings import FORM_POST, IssuerSettings, is_secure


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """One attempt to sign in, as the browser carries it, sealed. Random texts that nobody else knows:

    `state` ties the answer to this browser (RFC 9700, 4.7), `nonce` the ID token to this attempt, and `verifier` the
    code (PKCE, RFC 7636). `user_id`: who is signed in already, and adds a way in; `epoch` is its
    account's of then (see `account_store`). `expires_at`: in seconds since 1970.
    """

    provider: str
    return_to: str
    expires_at: int
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    user_id: str | None = None
    invitation: str | None = field(default=None, repr=False)
    epoch: int = 0

    @property
    def challenge(self) -> str:
        """Return the verifier's hash (S256), which the authorisation request shows."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Returned:
    """What the provider sent the browser back with. `issuer` is the parameter `iss` (RFC 9207)."""

    code: str = field(repr=False)
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as a provider says. `email_verified`: it has made sure that the address is the person's own."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None


class Issuer(Protocol):
    """One provider. Both methods raise ProviderFailure."""

    async def authorization_url(self, attempt: SignInAttempt, now: datetime, *, ask: bool) -> str:
        """Return where the browser goes to sign in.

        A provider that can lets its person choose an account, also one that is signed in there. `ask`: one that can't
        is to ask for a sign-in anew, since no page of ours has shown that the person wants this.
        """
        ...

    async def identify(self, attempt: SignInAttempt, returned: Returned, now: datetime) -> Identity:
        """Exchange the code that the browser came back with, and return who has signed in there."""
        ...


SELECT_ACCOUNT, LOGIN = "select_account", "login"  # values of `prompt`: OpenID Connect Core, 3.1.2.1


def authorization_url(endpoint: str, settings: IssuerSettings, attempt: SignInAttempt, scope: str, **more: str) -> str:
    """Return an authorisation request (RFC 6749, 4.1.1) with PKCE."""
    fields = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": settings.redirect_uri,
        "scope": scope,
        "state": attempt.state,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
        **more,
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(fields)}"


def comes_by_post(url: str) -> bool:
    """Tell whether the browser will come back from this authorisation request by another site's POST."""
    return ("response_mode", FORM_POST) in parse_qsl(urlsplit(url).query)


def endpoint_of(url: str | None, settings: IssuerSettings, what: str) -> str:
    """Return an address that a provider names for itself. Raises ProviderFailure unless a secret may be sent there."""
    if url is None or not is_secure(url, local=settings.local):
        raise ProviderFailure(f"{what} is no address to call")
    return url
