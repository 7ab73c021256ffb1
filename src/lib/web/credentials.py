"""What a request shows to say who sends it: an API key, an access token, or the cookie of a browser's session.

Read before the body and before the store: what can't be right costs us nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lib.access.principal import Principal
from lib.http.request import Headers, RawRequest
from lib.kernel import bounded
from lib.kernel.errors import Unauthorized
from lib.keys import key_store
from lib.secrets import api_keys, rotation
from lib.sessions import csrf, sessions
from lib.tokens import access_tokens, jwt
from lib.tokens.access_token import AccessToken
from lib.tokens.jwt import InvalidToken, Token

if TYPE_CHECKING:
    from lib.web.app import App

# Each has 8 KiB at most, most have one: nothing of them is believed before the signature is.
MOST_TAKEN_APART = 500

_MISSING = "You didn't provide an API key. Send it as `Authorization: Bearer YOUR_KEY`."
_WRONG_KEY = "The API key is wrong, expired or revoked."
_WRONG_TOKEN = "The access token is wrong, has ended or was revoked."  # noqa: S105 - a message


class Kind(Enum):
    """What it is, and so how long it may be remembered whom it speaks for."""

    KEY = "key"  # until a gate says that it is old; also in KV
    TOKEN = "token"  # noqa: S105 - until a gate says that it is old
    SESSION = "session"  # not at all: each use must be seen, or a session in use would end as an unused one


@dataclass(frozen=True, slots=True)
class Credential:
    """Something shown. `name` is a hash to remember it by, of which nobody can make the credential again.

    `find` returns whom it speaks for, or None where it is wrong; `refusal` makes the error for who shows a wrong one.
    """

    name: str
    kind: Kind
    find: Callable[[App], Awaitable[Principal | None]]
    refusal: Callable[[], Unauthorized]
    older: tuple[str, ...] = ()  # the names of a key under earlier secrets of the deployment


def read(parts: App, raw: RawRequest) -> Credential:
    """Return what a request shows. Raises Unauthorized where there is nothing that can be right, and Forbidden where a
    browser may have sent its cookie for another's page.
    """
    header = raw.headers.get("authorization")
    if not header:
        return _of_session(parts, raw)
    scheme, _, text = header.partition(" ")
    text = text.strip()
    if scheme.lower() == "bearer" and text.count(".") == 2:
        return _of_token(parts, text)
    if scheme.lower() != "bearer" or not api_keys.is_key(text):
        raise _wrong_key()
    name = api_keys.key_hash(text, parts.pepper)
    older = rotation.older_hashes(parts, text) if parts.older else ()

    async def find(parts: App) -> Principal | None:
        return await key_store.find_principal(parts.database, name, older)

    return Credential(name, Kind.KEY, find, _wrong_key, older)


def access_token(parts: App, headers: Headers) -> tuple[Token, AccessToken]:
    """Return the access token of a request, by its looks: its signature is not looked at. Raises InvalidToken."""
    text = (headers.get("authorization") or "").partition(" ")[2].strip()
    return _taken_apart(parts, text, _name(text))


def _of_token(parts: App, text: str) -> Credential:
    name = _name(text)
    try:
        token, said = _taken_apart(parts, text, name)
    except InvalidToken:
        raise _wrong_token() from None

    async def find(parts: App) -> Principal | None:
        try:
            await access_tokens.verify(parts, token)
        except InvalidToken:
            return None
        return await access_tokens.principal_of(parts, said)

    return Credential(name, Kind.TOKEN, find, _wrong_token)


def _taken_apart(parts: App, text: str, name: str) -> tuple[Token, AccessToken]:
    """Return the parts of an access token. An app sends the same one for minutes: only its end is looked at each time.

    Raises InvalidToken.
    """
    now, known = parts.clock.now(), parts.tokens.taken_apart
    if name not in known:
        token = jwt.parse(text)
        bounded.keep(known, name, (token, access_tokens.read(token, parts.config.session, now)), MOST_TAKEN_APART)
    elif known[name][1].expires_at <= now:
        raise InvalidToken("it has ended")
    return known[name]


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _of_session(parts: App, raw: RawRequest) -> Credential:
    cookie = sessions.cookie_of(raw.headers)
    if cookie is None:
        raise Unauthorized(_MISSING, code="missing_api_key")
    if raw.method not in csrf.SAFE_METHODS:
        csrf.check_origin(raw.headers, parts.config.session)
        csrf.check_token(raw.headers, cookie.secret, rotation.keys(parts, "csrf"))

    async def find(parts: App) -> Principal | None:
        return await sessions.find(parts, cookie)

    name = api_keys.key_hash(cookie.value, parts.pepper)
    return Credential(name, Kind.SESSION, find, _wrong_session)


def _wrong_key() -> Unauthorized:
    return Unauthorized(_WRONG_KEY)


def _wrong_token() -> Unauthorized:
    return Unauthorized(_WRONG_TOKEN, code="invalid_token")


def _wrong_session() -> Unauthorized:
    return Unauthorized(sessions.WRONG, code="invalid_session")
