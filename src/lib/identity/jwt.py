"""JSON Web Tokens, read strictly: RFC 7515, RFC 7519 and the advice of RFC 8725. No I/O, no clock.

PyJWT 2.15 takes padded base64url, so one token would have several texts, and it verifies at once, where WebCrypto is
waited for. So what a token may look like is said here; the cryptography is the platform's: see `Signatures`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lib.identity.jwk import VerifyingKey

MOST_CHARACTERS = 8 * 1024
MOST_NESTING = 32
# How far another's clock may be from ours.
LEEWAY_SECONDS = 60

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class InvalidToken(Exception):
    """Not a token that we take. The message is for the log; whoever sent it is told nothing of the reason."""


class Signatures(Protocol):
    """Asymmetric signatures (WebCrypto). `jwk` is a key as JSON: RFC 7517."""

    async def verify(self, algorithm: str, jwk: Mapping[str, Any], signature: bytes, message: bytes) -> bool:
        """Tell whether the signature is the key's own. A key that the platform refuses has signed nothing."""
        ...

    async def sign(self, algorithm: str, private_jwk: Mapping[str, Any], message: bytes) -> bytes: ...

    async def new_key(self, algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Make a key pair; return its public and its private half as JWKs."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """The parts of a compact JWS. Nothing in it is true before its signature has been verified."""

    header: Mapping[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes  # what the signature is of

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])

    @property
    def key_id(self) -> str | None:
        return self.header.get("kid")


def base64url_decode(text: str) -> bytes:
    """Decode what RFC 7515, 2 calls base64url: no padding, no other characters, no bits that mean nothing.

    Raises InvalidToken. Two texts for one value would let one token pass as two: past a list of revoked ones.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise InvalidToken("not base64url")
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise InvalidToken("not base64url") from None
    if base64url_encode(decoded) != text:
        raise InvalidToken("base64url with unused bits")
    return decoded


def base64url_encode(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parse(text: str) -> Token:
    """Take a compact serialization apart. Raises InvalidToken."""
    parts = text.split(".") if text.isascii() and len(text) <= MOST_CHARACTERS else []
    if len(parts) != 3:
        raise InvalidToken("not three parts")
    header = _object(base64url_decode(parts[0]))
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid", ""), str):
        raise InvalidToken("its header names no algorithm, or its key in no text")
    # We understand no extension, and a compressed or unencoded payload would be read as something else.
    if "crit" in header or "zip" in header or "b64" in header:
        raise InvalidToken("it asks for an extension")
    signed = f"{parts[0]}.{parts[1]}".encode()
    return Token(header, base64url_decode(parts[1]), base64url_decode(parts[2]), signed)


async def verify(signatures: Signatures, token: Token, keys: Iterable[VerifyingKey]) -> None:
    """Raise InvalidToken unless the one key that the token may be signed with has signed it.

    The algorithm is the key's. What the token says of it must be the same, and chooses nothing (RFC 8725, 3.1).
    """
    key = chosen_key(token, keys)
    if not await signatures.verify(key.algorithm, key.jwk, token.signature, token.signed):
        raise InvalidToken("the signature is not the key's")


def chosen_key(token: Token, keys: Iterable[VerifyingKey]) -> VerifyingKey:
    """Return the key that a token names, or the only one there is where it names none. Raises InvalidToken."""
    fitting = [key for key in keys if token.key_id in (None, key.id) and key.algorithm == token.algorithm]
    if len(fitting) != 1:
        raise InvalidToken("no key of this id and algorithm, or more than one")
    return fitting[0]


def claims_of(token: Token) -> Mapping[str, Any]:
    """Return the claims of a token whose signature has been verified. Raises InvalidToken."""
    return _object(token.payload)


def check_claims(claims: Mapping[str, Any], *, issuer: str, audience: str, now: datetime) -> None:
    """Raise InvalidToken unless the token is this issuer's, for this audience and of this time (RFC 7519, 4.1)."""
    if claims.get("iss") != issuer:
        raise InvalidToken("another issuer")
    audiences = claims.get("aud")
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise InvalidToken("another audience")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise InvalidToken("no subject")
    seconds = now.timestamp()
    if seconds >= _time(claims, "exp"):
        raise InvalidToken("it has ended")
    if _time(claims, "iat") > seconds + LEEWAY_SECONDS or _time(claims, "nbf", 0) > seconds + LEEWAY_SECONDS:
        raise InvalidToken("it is of the future")


async def issue(
    signatures: Signatures, key: VerifyingKey, private_jwk: Mapping[str, Any], kind: str, claims: Mapping[str, Any]
) -> str:
    """Return a signed token. `kind` is its header's `typ`, so that it passes for no other kind (RFC 8725, 3.11)."""
    header = {"alg": key.algorithm, "kid": key.id, "typ": kind}
    signed = f"{base64url_encode(_json(header))}.{base64url_encode(_json(claims))}"
    signature = await signatures.sign(key.algorithm, private_jwk, signed.encode())
    return f"{signed}.{base64url_encode(signature)}"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _time(claims: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidToken(f"{name} is no time")
    return value


def _object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object with no member twice: two readers could each see another one of them."""
    if text.count(b"[") + text.count(b"{") > MOST_NESTING:
        raise InvalidToken("too much nesting")
    try:
        value = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError:
        raise InvalidToken("not JSON") from None
    if not isinstance(value, dict):
        raise InvalidToken("not a JSON object")
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidToken("a member twice")
    return members


def _no_constant(name: str) -> None:
    raise InvalidToken(f"{name} is not JSON")
