"""What a browser carries while somebody signs in with another provider: sealed, for minutes, and for one use.

Nobody but us can read it or make one, so it needs no row in the store until it is used.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from lib.issuers.issuer import SignInAttempt
from lib.kernel.errors import BadRequest
from lib.secrets import rotation
from lib.secrets.api_keys import derive
from lib.tokens.jwt import InvalidToken, base64url_decode, base64url_encode

if TYPE_CHECKING:
    from lib.sign_in.parts import SigningIn

Made = TypeVar("Made")
ATTEMPT_COOKIE = "__Host-headgate-sign-in"
ANSWER_COOKIE = "__Host-headgate-sign-in-answer"
CODE_COOKIE = "__Host-headgate-second-factor"
ATTEMPT_TIME = timedelta(minutes=10)
ANSWER_TIME = timedelta(minutes=1)
CODE_TIME = timedelta(minutes=5)
MOST_CHARACTERS = 4_000  # what browsers keep of a cookie
MOST_PATH = 512
_GONE = "This attempt to sign in has ended, or was begun in another browser. Begin again."


@dataclass(frozen=True, slots=True)
class CodeWanted:
    """Somebody has signed in elsewhere, and has still to show a code of an authenticator. Until then it has nothing:
    also the invitation with which it came waits. `epoch` is its account's of then (see `account_store`).
    """

    user_id: str
    expires_at: int
    epoch: int
    invitation: str | None = field(default=None, repr=False)


def new_attempt(
    provider: str,
    return_to: str,
    now: datetime,
    user_id: str | None = None,
    invitation: str | None = None,
    epoch: int = 0,
) -> SignInAttempt:
    """Begin an attempt: its secrets have 256 bits each."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    ends = int((now + ATTEMPT_TIME).timestamp())
    return SignInAttempt(provider, return_to, ends, state, nonce, verifier, user_id, invitation, epoch)


def local_path(text: str) -> str:
    """Return a path on this host. Raises ValueError: whoever chooses where a browser goes from here borrows our name.

    Two slashes, or a slash and a backslash, begin another host to a browser, which drops tabs and line ends first.
    """
    printable = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    if not printable or len(text) > MOST_PATH or not text.startswith("/") or text.startswith("//"):
        raise ValueError("it must be a path of this host, beginning with one slash")
    return text


async def seal_attempt(parts: SigningIn, attempt: SignInAttempt) -> str:
    """Return the value of the cookie."""
    return await _seal(parts, ATTEMPT_COOKIE, asdict(attempt))


async def open_attempt(parts: SigningIn, value: str | None, provider: str, state: str) -> SignInAttempt:
    """Return the attempt that this browser has begun. Raises BadRequest where the answer belongs to no such one.

    Without that, a stranger's page could sign somebody in as the stranger (login CSRF, RFC 9700, 4.7), or bring one
    provider's code to another (mix-up, 4.4).
    """
    attempt = _made(SignInAttempt, await _open(parts, ATTEMPT_COOKIE, value))
    if attempt.provider != provider or not hmac.compare_digest(attempt.state.encode(), state.encode()):
        raise gone()
    return attempt


async def seal_answer(parts: SigningIn, fields: Mapping[str, str]) -> str:
    """Return the value of the cookie by which a browser carries on what a provider has made it post."""
    ends = int((parts.clock.now() + ANSWER_TIME).timestamp())
    sealed = await _seal(parts, ANSWER_COOKIE, {"fields": fields, "expires_at": ends})
    if len(sealed) > MOST_CHARACTERS:
        raise BadRequest("The identity provider's answer is longer than a cookie can be.", code="sign_in_too_long")
    return sealed


async def open_answer(parts: SigningIn, value: str | None) -> dict[str, str]:
    """Return what the provider has made the browser post, a moment ago. Raises BadRequest."""
    fields: dict[str, str] = (await _open(parts, ANSWER_COOKIE, value))["fields"]
    return fields


async def seal_code_wanted(parts: SigningIn, user_id: str, epoch: int, invitation: str | None) -> str:
    """Return the value of the cookie by which somebody goes on with a code."""
    ends = int((parts.clock.now() + CODE_TIME).timestamp())
    return await _seal(parts, CODE_COOKIE, asdict(CodeWanted(user_id, ends, epoch, invitation)))


async def open_code_wanted(parts: SigningIn, value: str | None) -> CodeWanted:
    """Return who goes on. Raises BadRequest."""
    return _made(CodeWanted, await _open(parts, CODE_COOKIE, value))


async def _seal(parts: SigningIn, name: str, fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, separators=(",", ":")).encode()
    return base64url_encode(await parts.sealer.seal(_key(parts, name), text))


async def _open(parts: SigningIn, name: str, value: str | None) -> dict[str, Any]:
    if not value or len(value) > MOST_CHARACTERS:
        raise gone()
    try:
        text = await rotation.opened(parts, rotation.keys(parts, f"cookie {name}"), base64url_decode(value))
    except (InvalidToken, ValueError):
        raise gone() from None
    fields: dict[str, Any] = json.loads(text)
    if parts.clock.now().timestamp() >= fields["expires_at"]:
        raise gone()
    return fields


def _made(kind: Callable[..., Made], fields: Mapping[str, Any]) -> Made:
    try:
        return kind(**fields)
    except TypeError:  # another version of ours has made it, minutes ago
        raise gone() from None


def _key(parts: SigningIn, name: str) -> bytes:
    """One key for each cookie: what is in one is never read as the other."""
    return derive(parts.config.secret, f"cookie {name}")


def gone() -> BadRequest:
    """Return the error for what a browser carries that holds no more."""
    return BadRequest(_GONE, code="sign_in_expired")
