"""Access tokens: JWTs of 15 minutes that say who calls, where, and what it may do there at most (RFC 9068)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lib.access.principal import Principal
from lib.config import SessionConfig
from lib.kernel.ids import milliseconds_of, new_id
from lib.tokens import jwt
from lib.tokens.access_token import AccessToken
from lib.tokens.jwt import InvalidToken, Token
from lib.users import people, person_store

if TYPE_CHECKING:
    from lib.tokens.parts import Signing

KIND = "at+jwt"
AUDIENCE = "headgate"
LIFE = timedelta(minutes=15)
MOST_CLAIM = 4_000


async def issue(parts: Signing, user_id: str, org_id: str, scopes: frozenset[str], family_id: str) -> str:
    """Return a new access token."""
    now = parts.clock.now()
    signing = await parts.tokens.signing(parts)
    seconds = int(now.timestamp())
    claims = {
        "iss": parts.config.session.issuer,
        "aud": AUDIENCE,
        "sub": user_id,
        "org": org_id,
        "scope": " ".join(sorted(scopes)),
        "sid": family_id,
        "jti": new_id(now),
        "iat": seconds,
        "exp": seconds + int(LIFE.total_seconds()),
    }
    return await jwt.issue(parts.tokens.signatures, signing.key, signing.private_jwk, KIND, claims)


def read(token: Token, config: SessionConfig, now: datetime) -> AccessToken:
    """Return what a token of ours says, if it is of this time. Raises InvalidToken. Its signature is not looked at."""
    if token.header.get("typ") != KIND:
        raise InvalidToken("another kind of token")
    claims = jwt.claims_of(token)
    jwt.check_claims(claims, issuer=config.issuer, audience=AUDIENCE, now=now)
    texts = [claims.get(name) for name in ("sub", "org", "scope", "sid", "jti")]
    if not all(isinstance(text, str) and len(text) <= MOST_CLAIM for text in texts):
        raise InvalidToken("a claim is missing")
    user_id, org_id, scope, family_id, jti = map(str, texts)
    if (milliseconds_of(jti) or math.inf) > jwt.LAST_SECOND * 1000:  # it also tells when the token was made
        raise InvalidToken("its id is none")
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    return AccessToken(user_id, org_id, frozenset(scope.split()), family_id, jti, expires_at)


async def principal_of(parts: Signing, said: AccessToken) -> Principal | None:
    """Return who a token speaks for whose signature is good; None where it was revoked, or its family was."""
    row = await person_store.find_by_token(parts.database, said.user_id, said.org_id, said.jti_hash, said.family_id)
    if row is None or row.revoked or not row.alive or people.is_over(row, said.made_at):
        return None
    return people.principal_of(row, said.org_id, "token", said.family_id, said.scopes)


async def verify(parts: Signing, token: Token) -> None:
    """Raise InvalidToken unless one of our keys has signed it."""
    key = await parts.tokens.verifying(parts, token)
    await jwt.verify(parts.tokens.signatures, token, [key])
