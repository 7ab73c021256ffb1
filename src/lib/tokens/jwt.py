"""JSON Web Tokens, read strictly: RFC 7515, RFC 7519 and the advice of RFC 8725. No I/O, no clock.

PyJWT reads and makes them: parts, header and claims. Ours is what it can't do here:
- It verifies and signs at once, and has RSA and curves only with `cryptography`, which has no wheel for this platform
  (nor so has its PyJWK: see `lib.tokens.jwk`). WebCrypto does both, and is waited for: see `Signatures`.
- It takes padded base64url, so one token would have several texts; and JSON with a member twice, with NaN, or nested
  without end.
- It asks the machine for the time, and takes a time of any size, or as a text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Protocol

from jwt import PyJWS, PyJWT, PyJWTError
from jwt.algorithms import Algorithm
from jwt.types import FullOptions

from lib.tokens.jwk import ALGORITHMS, VerifyingKey

MOST_CHARACTERS = 8 * 1024
MOST_NESTING = 32
# How far another's clock may be from ours.
LEEWAY_SECONDS = 60
# The end of the year 9999, which every calendar of ours can still say.
LAST_SECOND = 253_402_300_799

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_RULES: FullOptions = {
    "verify_signature": False,  # it was before, and is by WebCrypto
    "enforce_minimum_key_length": False,
    "require": ["iss", "aud", "sub", "iat", "exp"],
    "strict_aud": False,
    **{f"verify_{name}": True for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},  # type: ignore[typeddict-item]
}


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
    if not all(map(_BASE64URL.fullmatch, parts)):
        raise InvalidToken("not base64url")
    header = _object(base64url_decode(parts[0]))
    if not isinstance(header.get("alg"), str):
        raise InvalidToken("its header names no algorithm")
    # We understand no extension, and a compressed or unencoded payload would be read as something else.
    if "crit" in header or "zip" in header or "b64" in header:
        raise InvalidToken("it asks for an extension")
    try:
        read = _JWS.decode_complete(text, options={"verify_signature": False})
    except PyJWTError as error:
        raise InvalidToken(f"not base64url, or a header that is wrong: {error}") from None
    return Token(header, read["payload"], read["signature"], text.rpartition(".")[0].encode())


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
    for name in ("exp", "iat", "nbf"):
        if name in claims and not _is_time(claims[name]):
            raise InvalidToken(f"{name} is no time")
    try:
        _Claims(now).check(claims, issuer, audience)
    except PyJWTError as error:
        raise InvalidToken(str(error)) from None
    if not claims["sub"]:
        raise InvalidToken("no subject")


async def issue(
    signatures: Signatures, key: VerifyingKey, private_jwk: Mapping[str, Any], kind: str, claims: Mapping[str, Any]
) -> str:
    """Return a signed token. `kind` is its header's `typ`, so that it passes for no other kind (RFC 8725, 3.11)."""
    payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
    unsigned = _JWS.encode(payload, "", key.algorithm, headers={"kid": key.id, "typ": kind})
    signature = await signatures.sign(key.algorithm, private_jwk, unsigned.removesuffix(".").encode())
    return unsigned + base64url_encode(signature)


class _Awaited(Algorithm):
    """Where PyJWT would sign: the signature is put behind what it writes. It has verified nothing, so it says no."""

    def prepare_key(self, key: Any) -> Any:
        return key

    def sign(self, msg: bytes, key: Any) -> bytes:  # noqa: ARG002 - PyJWT's
        return b""

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:  # noqa: ARG002 - PyJWT's
        return False

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> NoReturn:
        raise NotImplementedError

    @staticmethod
    def from_jwk(jwk: object) -> NoReturn:
        raise NotImplementedError


def _jws() -> PyJWS:
    """Return PyJWT's reader and writer with the algorithms of `lib.tokens.jwk`, and no other."""
    jws = PyJWS(algorithms=[])
    for name in (name for names in ALGORITHMS.values() for name in names):
        jws.register_algorithm(name, _Awaited())
    return jws


_JWS = _jws()


class _Claims(PyJWT):
    """PyJWT's rules for claims, at a time that it is told."""

    def __init__(self, now: datetime) -> None:  # nothing is decoded with it, so it needs no algorithms: they are slow
        self._now = now.timestamp()

    def check(self, claims: Mapping[str, Any], issuer: str, audience: str) -> None:
        """Raise PyJWTError for the first that is wrong."""
        self._validate_claims(dict(claims), _RULES, audience=audience, issuer=issuer, leeway=LEEWAY_SECONDS)

    def _validate_iat(self, payload: dict[str, Any], now: float, leeway: float) -> None:  # noqa: ARG002
        super()._validate_iat(payload, self._now, leeway)

    def _validate_nbf(self, payload: dict[str, Any], now: float, leeway: float) -> None:  # noqa: ARG002
        super()._validate_nbf(payload, self._now, leeway)

    def _validate_exp(self, payload: dict[str, Any], now: float, leeway: float) -> None:  # noqa: ARG002
        """A token ends at its end, without grace."""
        super()._validate_exp(payload, self._now, 0)


def _is_time(value: object) -> bool:
    """Tell whether a claim is a number of seconds since 1970 that a calendar has. A bool is no number to JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LAST_SECOND


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
