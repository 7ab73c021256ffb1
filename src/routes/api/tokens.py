"""`/api/v1/tokens` and `/.well-known/jwks.json`: what apps sign in with, and what others verify that with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from lib.access.principal import SELF
from lib.http.response import Response
from lib.kernel.errors import NotFound
from lib.sign_in import accounts
from lib.tokens import access_tokens, grants, signing_keys
from lib.tokens.grants import Grant
from lib.users import people
from lib.web import credentials, render
from lib.web.operation import Call, NoQuery, Plain
from lib.web.route import act, read, remove
from routes.schemas import Code, Email, GivenPassword, Id

# How long others may keep the set. A key is in it for days before it signs.
JWKS_SECONDS = 300


class PasswordGrant(BaseModel):
    """A person's own address and password. Without `org_id` the tokens are for the first organisation it joined."""

    model_config = ConfigDict(extra="forbid")
    grant_type: Literal["password"]
    email: Email
    password: GivenPassword
    totp_code: Code | None = None
    org_id: Id | None = None


class RefreshGrant(BaseModel):
    """A refresh token, which works once. `org_id` changes to another organisation."""

    model_config = ConfigDict(extra="forbid")
    grant_type: Literal["refresh_token"]
    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    org_id: Id | None = None


class NewTokens(RootModel[Annotated[PasswordGrant | RefreshGrant, Field(discriminator="grant_type")]]):
    """How to get tokens."""


class Tokens(BaseModel):
    """Tokens of one person. `org_id` is null where it is in no organisation; `scope` is what it may do there."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - no secret
    expires_in: int
    refresh_token: str
    refresh_expires_at: datetime
    org_id: str | None
    scope: str


class KeySet(BaseModel):
    """Public keys (RFC 7517). A token's `kid` names the one that it is signed with."""

    keys: list[dict[str, Any]]


async def create_token(call: Call[NewTokens, NoQuery]) -> Tokens:
    """Sign an app in, or keep it signed in."""
    wanted, context = call.body.root, call.context
    if isinstance(wanted, RefreshGrant):
        return _granted(await grants.refresh(call.parts, wanted.refresh_token, wanted.org_id, context))
    user = await accounts.sign_in(call.parts, wanted.email, wanted.password, wanted.totp_code, context)
    org_id = await people.choose_org(call.parts, user.id, wanted.org_id)
    return _granted(await grants.grant(call.parts, user, org_id))


async def revoke_token(call: Plain) -> None:
    """Sign an app out: its access token, and all that came of the same sign-in."""
    if call.principal.kind != "token":
        raise NotFound("You have not called with an access token.")
    _, token = credentials.access_token(call.parts, call.request.headers)
    await grants.revoke(call.parts, token)


async def show_keys(call: Plain) -> Response:
    """Publish the keys that access tokens are verified with."""
    rows = await call.parts.tokens.published(call.parts)
    if not rows:  # a new deployment
        await call.parts.tokens.signing(call.parts)
        rows = await call.parts.tokens.published(call.parts)
    body = KeySet(keys=[signing_keys.public_jwk(row) for row in rows])
    return render.bare(body, headers={"cache-control": f"public, max-age={JWKS_SECONDS}"})


def _granted(grant: Grant) -> Tokens:
    return Tokens(
        access_token=grant.access_token,
        expires_in=int(access_tokens.LIFE.total_seconds()),
        refresh_token=grant.refresh_token,
        refresh_expires_at=grant.refresh_expires_at,
        org_id=grant.org_id or None,
        scope=" ".join(sorted(grant.scopes)),
    )


ROUTES = [
    act(
        "/api/v1/tokens",
        None,
        create_token,
        "Get an access token and a refresh token",
        "The access token is a JWT of 15 minutes: send it as `Authorization: Bearer …`. A refresh token"
        " works once; when one comes a second time, all that came of the same sign-in ends.",
        errors=(401, 403, 404, 429),
    ),
    remove(
        "/api/v1/tokens/current",
        SELF,
        revoke_token,
        "End an access token and its refresh token",
        "They are refused from the answer on, everywhere.",
        errors=(404,),
    ),
    read(
        "/.well-known/jwks.json",
        None,
        show_keys,
        "The public keys of access tokens",
        errors=(503,),
        http="A key set has no envelope (RFC 7517).",
        returns=KeySet,
    ),
]
