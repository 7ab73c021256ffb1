"""What an OpenID provider says of itself, by discovery: its endpoints and its keys. Both are remembered for a while.

Sources: https://openid.net/specs/openid-connect-discovery-1_0.html, RFC 7517 and RFC 9207.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from lib.issuers.issuer import SELECT_ACCOUNT, endpoint_of
from lib.issuers.oidc_client import ProviderFailure, get, object_of, text_of
from lib.issuers.settings import FORM_POST, IssuerSettings
from lib.tokens.jwk import UnusableKey, VerifyingKey, verifying_keys

KEPT = timedelta(hours=1)
# Tokens with key ids that don't exist cost one look-up in this time, however many come.
LEAST_BETWEEN_LOOKS = timedelta(minutes=1)
_MOST_URL = 2_000


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider is asked for what. `secret_in_body`: it takes no HTTP Basic for the client's secret.

    `issuer`: what it calls itself, to the letter, with its slash at the end where it has one (Auth0, authentik).
    `names_itself`: it always sends `iss` back with the code, so an answer without it is not its own.
    `select_account`: it lets people choose an account when it is asked to.
    `form_post`: its answers can come by POST.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    secret_in_body: bool
    names_itself: bool
    select_account: bool
    form_post: bool


class Discovery:
    """A provider's metadata and keys, for one isolate."""

    def __init__(self, settings: IssuerSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, list[VerifyingKey]] | None = None
        self._looked_at: datetime | None = None

    async def metadata(self, now: datetime) -> Metadata:
        """Return the metadata. Raises ProviderFailure."""
        if self._metadata is None or now >= self._metadata[0] + KEPT:
            url = f"{self._settings.authority}/.well-known/openid-configuration"
            self._metadata = (now, self._read(object_of(await get(self._http, url, "metadata"), "metadata")))
        return self._metadata[1]

    async def keys(self, now: datetime, fits: Callable[[list[VerifyingKey]], bool]) -> list[VerifyingKey]:
        """Return the keys; looked up anew where none `fits`, but not more often than LEAST_BETWEEN_LOOKS.

        A provider may sign with a new key at any time (OpenID Connect Core, 10.1.1). Raises ProviderFailure.
        """
        fresh = self._keys is not None and now < self._keys[0] + KEPT
        rested = self._looked_at is None or now >= self._looked_at + LEAST_BETWEEN_LOOKS
        if self._keys is None or (rested and not (fresh and fits(self._keys[1]))):
            if not rested:
                raise ProviderFailure("its keys could not be read a moment ago")
            self._looked_at = now
            uri = (await self.metadata(now)).jwks_uri
            self._keys = (now, _usable(object_of(await get(self._http, uri, "keys"), "keys")))
        return self._keys[1]

    def _read(self, said: dict[str, object]) -> Metadata:
        settings = self._settings
        # Whoever can answer in place of the provider, or for one of its other tenants, would name itself here.
        issuer = text_of(said, "issuer", _MOST_URL)
        if issuer is None or issuer.removesuffix("/") != settings.issuer:
            raise ProviderFailure("metadata: another issuer")

        def endpoint(name: str) -> str:
            return endpoint_of(text_of(said, name, _MOST_URL), settings, name)

        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        prompts, modes = said.get("prompt_values_supported"), said.get("response_modes_supported")
        return Metadata(
            issuer=issuer,
            authorization_endpoint=endpoint("authorization_endpoint"),
            token_endpoint=endpoint("token_endpoint"),
            jwks_uri=endpoint("jwks_uri"),
            userinfo_endpoint=endpoint("userinfo_endpoint") if "userinfo_endpoint" in said else None,
            secret_in_body=not isinstance(methods, list) or "client_secret_basic" not in methods,
            names_itself=said.get("authorization_response_iss_parameter_supported") is True,
            select_account=settings.select_account or (isinstance(prompts, list) and SELECT_ACCOUNT in prompts),
            form_post=settings.form_post and isinstance(modes, list) and FORM_POST in modes,
        )


def _usable(key_set: dict[str, object]) -> list[VerifyingKey]:
    try:
        return verifying_keys(key_set)
    except UnusableKey as reason:
        raise ProviderFailure(f"keys: {reason}") from None
