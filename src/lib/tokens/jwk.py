"""JSON Web Keys to verify tokens with (RFC 7517, RFC 7518): which are taken, and for which algorithm. No I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_KEYS = 50
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
# By key type and curve; the first is meant where a key does not say. No symmetric ones: whoever verifies could sign.
ALGORITHMS: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("RSA", None): ("RS256", "PS256"),
}
# The primes by which keys with the ROCA weakness are told (CVE-2017-15361): https://crocs.fi.muni.cz/public/papers/rsa_ccs17
_ROCA_PRIMES = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip
_ROCA_GENERATOR = 65537


class UnusableKey(Exception):
    """A key, or a set of keys, that nothing is verified with."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the one algorithm that it is for. `id` is None where its set does not name it."""

    id: str | None
    algorithm: str
    jwk: Mapping[str, Any]


def verifying_key(jwk: Mapping[str, Any]) -> VerifyingKey:
    """Return a key that is for verifying signatures. Raises UnusableKey for any other, and for weak ones."""
    curve = jwk.get("crv")
    algorithms = ALGORITHMS.get((str(jwk.get("kty")), str(curve) if curve is not None else None))
    if algorithms is None:
        raise UnusableKey("no type of key that we take")
    algorithm = jwk.get("alg", algorithms[0])
    if algorithm not in algorithms:
        raise UnusableKey("the algorithm is not the key's")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise UnusableKey("it is for something else")
    if jwk["kty"] == "RSA":
        _check_rsa(jwk)
    key_id = jwk.get("kid")
    return VerifyingKey(key_id if isinstance(key_id, str) else None, algorithm, jwk)


def verifying_keys(key_set: Mapping[str, Any]) -> list[VerifyingKey]:
    """Return the usable keys of a set; others are passed over, as RFC 7517, 5 says.

    Raises UnusableKey for what is no set, and where two of its keys have one id: which one is meant could be chosen by
    whoever signs.
    """
    listed = key_set.get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS or not all(isinstance(key, dict) for key in listed):
        raise UnusableKey("not a set of keys")
    names = [key["kid"] for key in listed if "kid" in key]
    if len({str(name) for name in names}) < len(names):
        raise UnusableKey("two keys have one id")
    return _usable(listed)


def _usable(listed: Sequence[Mapping[str, Any]]) -> list[VerifyingKey]:
    keys = []
    for jwk in listed:
        try:
            keys.append(verifying_key(jwk))
        except UnusableKey:
            continue
    return keys


def _check_rsa(jwk: Mapping[str, Any]) -> None:
    modulus, exponent = _number(jwk.get("n")), _number(jwk.get("e"))
    if not LEAST_RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS:
        raise UnusableKey("an RSA key that is too short, or absurdly long")
    if exponent < 3 or exponent % 2 == 0:
        raise UnusableKey("an exponent that encrypts nothing")
    if _is_roca(modulus):
        raise UnusableKey("a key with the ROCA weakness")


def _is_roca(modulus: int) -> bool:
    """Tell whether the modulus was made by the faulty generator: modulo each prime it is a power of 65537."""
    return all(modulus % prime in _powers(prime) for prime in _ROCA_PRIMES)


def _powers(prime: int) -> set[int]:
    return {pow(_ROCA_GENERATOR, exponent, prime) for exponent in range(1, prime)}


def _number(text: object) -> int:
    if not isinstance(text, str) or len(text) > MOST_RSA_BITS // 4:
        raise UnusableKey("no number")
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        raise UnusableKey("no number") from None
