"""OpenID Connect with the authorisation code flow: who has signed in, by an ID token that is verified in full.

Sources: https://openid.net/specs/openid-connect-core-1_0.html (3.1), RFC 7636, RFC 9207 and RFC 9700.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

import httpx

from lib.issuers.issuer import LOGIN, SELECT_ACCOUNT, Identity, Returned, SignInAttempt, authorization_url
from lib.issuers.oidc_client import ProviderFailure, get, object_of, post, text_of
from lib.issuers.oidc_metadata import Discovery, Metadata
from lib.issuers.settings import EMAIL_VERIFIED, FORM_POST, TENANT, IssuerSettings
from lib.tokens import jwt
from lib.tokens.jwk import VerifyingKey
from lib.tokens.jwt import InvalidToken, Signatures, Token

SCOPE = "openid email profile"
# It was made for this attempt, a moment ago.
MOST_AGE_SECONDS = 600
_MOST_SUBJECT = 255  # ASCII characters: OpenID Connect Core, 2
_MOST_EMAIL, _MOST_NAME, _MOST_ACCESS_TOKEN = 254, 200, 16 * 1024
_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRUE = (True, 1, "1", "true")


class OidcProvider:
    """Implements `lib.issuers.issuer.Issuer`."""

    def __init__(self, settings: IssuerSettings, http: httpx.AsyncClient, signatures: Signatures) -> None:
        self._settings = settings
        self._http = http
        self._signatures = signatures
        self._discovery = Discovery(settings, http)

    async def authorization_url(self, attempt: SignInAttempt, now: datetime, *, ask: bool) -> str:
        metadata = await self._discovery.metadata(now)
        # One that does not know `select_account` may refuse it; `login` is in the standard's oldest text.
        prompt = SELECT_ACCOUNT if metadata.select_account else LOGIN if ask else None
        more = {"nonce": attempt.nonce} | ({"prompt": prompt} if prompt else {})
        more |= {"response_mode": FORM_POST} if metadata.form_post else {}
        return authorization_url(metadata.authorization_endpoint, self._settings, attempt, SCOPE, **more)

    async def identify(self, attempt: SignInAttempt, returned: Returned, now: datetime) -> Identity:
        metadata = await self._discovery.metadata(now)
        check_issuer(metadata.issuer, returned.issuer, required=metadata.names_itself)
        tokens = await self._exchange(metadata, attempt, returned.code)
        id_token = text_of(tokens, "id_token", jwt.MOST_CHARACTERS)
        if id_token is None:
            raise ProviderFailure("token endpoint: no ID token")
        try:
            claims = await self._verified(metadata, id_token, attempt.nonce, now)
        except InvalidToken as reason:
            raise ProviderFailure(f"ID token: {reason}") from None
        return self._identity(await self._with_email(metadata, tokens, claims))

    async def _exchange(self, metadata: Metadata, attempt: SignInAttempt, code: str) -> dict[str, Any]:
        settings = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        basic: httpx.Auth | None = None
        if metadata.secret_in_body:
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        else:  # both halves form-encoded first: RFC 6749, 2.3.1
            basic = httpx.BasicAuth(quote_plus(settings.client_id), quote_plus(settings.client_secret))
        answer = await post(self._http, metadata.token_endpoint, "token endpoint", form, basic)
        return object_of(answer, "token endpoint")

    async def _verified(self, metadata: Metadata, text: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        """Return the claims of an ID token (OpenID Connect Core, 3.1.3.7). Raises InvalidToken and ProviderFailure."""
        token = jwt.parse(text)
        if token.header.get("typ", "JWT") not in ("JWT", "jwt"):
            raise InvalidToken("a token of another kind")  # an access token, say: RFC 8725, 3.11
        keys = await self._discovery.keys(now, lambda keys: _names_one_of(token, keys))
        await jwt.verify(self._signatures, token, keys)
        claims = jwt.claims_of(token)
        issuer = issuer_of(metadata.issuer, claims)
        check_id_token(claims, issuer, self._settings.client_id, nonce, now)
        # A key may be for the tokens of one tenant alone (Microsoft), or for those of each: then it names the template.
        if jwt.chosen_key(token, keys).jwk.get("issuer", issuer) not in (issuer, metadata.issuer):
            raise InvalidToken("the key is another tenant's")
        return claims

    async def _with_email(
        self, metadata: Metadata, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the claims; with those of the userinfo endpoint (5.3) where the ID token has no address, or does not
        say whether it is verified (Okta).
        """
        access_token = text_of(tokens, "access_token", _MOST_ACCESS_TOKEN)
        told_all = "email" in claims and (EMAIL_VERIFIED in claims or self._settings.verified_claim != EMAIL_VERIFIED)
        if told_all or metadata.userinfo_endpoint is None or access_token is None:
            return claims
        told = object_of(await get(self._http, metadata.userinfo_endpoint, "userinfo", access_token), "userinfo")
        if told.get("sub") != claims["sub"]:  # another's token, put in place of this one: 5.3.2
            raise ProviderFailure("userinfo: of somebody else")
        if "email" in claims and told.get("email") != claims["email"]:
            return claims  # what it says of another address is nothing about this one
        return {**told, **claims}

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        subject = text_of(claims, "sub", _MOST_SUBJECT)
        if subject is None or not subject.isascii():
            raise ProviderFailure("ID token: a subject of no possible form")
        return Identity(
            issuer=str(claims["iss"]),
            subject=subject,
            email=text_of(claims, "email", _MOST_EMAIL),
            email_verified=claims.get(self._settings.verified_claim) in _TRUE,
            name=text_of(claims, "name", _MOST_NAME),
        )


def check_issuer(expected: str, shown: str | None, *, required: bool) -> None:
    """Raise ProviderFailure where the answer comes from another issuer: a mix-up (RFC 9207, 2.4)."""
    if shown is None and not required:
        return
    start, template, end = expected.partition(TENANT)
    if shown is None or not shown.startswith(start) or not shown.endswith(end):
        raise ProviderFailure("the answer is another issuer's")
    tenant = shown[len(start) : len(shown) - len(end)]
    if not (_TENANT_ID.fullmatch(tenant) if template else shown == expected):
        raise ProviderFailure("the answer is another issuer's")


def issuer_of(expected: str, claims: Mapping[str, Any]) -> str:
    """Return the issuer of a token: the expected one, for the tenant that it names where there are many."""
    if TENANT not in expected:
        return expected
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or not _TENANT_ID.fullmatch(tenant):
        raise InvalidToken("it names no tenant")
    return expected.replace(TENANT, tenant)


def check_id_token(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: datetime) -> None:
    """Raise InvalidToken unless it was made by `issuer`, for us alone, for this attempt and just now."""
    jwt.check_claims(claims, issuer=issuer, audience=client_id, now=now)
    # One that others are an audience of too (Zitadel) may have been given to them, and been handed on to us. It names
    # whom it was made for.
    alone = claims["aud"] in (client_id, [client_id])
    if claims.get("azp", client_id if alone else None) != client_id:
        raise InvalidToken("made for another client")
    if claims["iat"] < now.timestamp() - MOST_AGE_SECONDS:
        raise InvalidToken("an old one")
    shown = claims.get("nonce")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(), nonce.encode()):
        raise InvalidToken("made for another attempt")


def _names_one_of(token: Token, keys: list[VerifyingKey]) -> bool:
    try:
        jwt.chosen_key(token, keys)
    except InvalidToken:
        return False
    return True
