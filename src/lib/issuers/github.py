"""Signing in with GitHub, which speaks OAuth 2.0 and not OpenID Connect: who it is, its API is asked.

Sources: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps,
https://docs.github.com/en/rest/users/users and …/emails.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from lib.issuers.issuer import SELECT_ACCOUNT, Identity, Returned, SignInAttempt, authorization_url
from lib.issuers.oidc_client import ProviderFailure, get, object_of, post, text_of
from lib.issuers.settings import IssuerSettings

SCOPE = "read:user user:email"
_MOST_TOKEN, _MOST_NAME, _MOST_EMAIL, _MOST_EMAILS = 1_024, 200, 254, 100


class GithubProvider:
    """Implements `lib.issuers.issuer.Issuer`.

    GitHub signs nothing and sends no `iss`. Its own redirect address keeps its answers apart from other providers'
    (RFC 9700, 4.4.2.2), and the token comes from its own endpoint, for our code and verifier.
    """

    def __init__(self, settings: IssuerSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http

    async def authorization_url(self, attempt: SignInAttempt, now: datetime, *, ask: bool) -> str:  # noqa: ARG002 - the port's
        endpoint = f"{self._settings.authority}/login/oauth/authorize"
        return authorization_url(endpoint, self._settings, attempt, SCOPE, prompt=SELECT_ACCOUNT)

    async def identify(self, attempt: SignInAttempt, returned: Returned, now: datetime) -> Identity:  # noqa: ARG002
        token = await self._exchange(attempt, returned.code)
        user = object_of(await self._ask("/user", token), "user")
        number = user.get("id")
        # Not the login: that is a name, which may be given up and taken by somebody else.
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ProviderFailure("user: no id")
        email = _own_email(await self._ask("/user/emails", token))
        name = text_of(user, "name", _MOST_NAME) or text_of(user, "login", _MOST_NAME)
        return Identity(self._settings.issuer, str(number), email, email is not None, name)

    async def _exchange(self, attempt: SignInAttempt, code: str) -> str:
        settings = self._settings
        form = {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "code": code,
            "redirect_uri": settings.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        url = f"{settings.authority}/login/oauth/access_token"
        answer = object_of(await post(self._http, url, "token endpoint", form), "token endpoint")
        token = text_of(answer, "access_token", _MOST_TOKEN)  # an error comes with status 200 too
        if token is None:
            raise ProviderFailure("token endpoint: no access token")
        return token

    async def _ask(self, path: str, token: str) -> Any:
        return await get(self._http, self._settings.api_url + path, path, token)


def _own_email(listed: object) -> str | None:
    """Return the primary address, if GitHub has verified it; no other: it is the one that the person goes by."""
    if not isinstance(listed, list) or len(listed) > _MOST_EMAILS:
        raise ProviderFailure("emails: not a list")
    for entry in listed:
        if isinstance(entry, Mapping) and entry.get("primary") is True and entry.get("verified") is True:
            return text_of(entry, "email", _MOST_EMAIL)
    return None
