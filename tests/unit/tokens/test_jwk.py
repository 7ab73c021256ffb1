"""Which keys tokens are verified with: public, strong, for signatures, and each for one algorithm."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lib.tokens.jwk import UnusableKey, verifying_key, verifying_keys
from lib.tokens.jwt import base64url_encode
from tests.vectors import jose_cases

EC = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}


def rsa_key(bits: int = 2048, exponent: int = 65537) -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {
        "kty": "RSA",
        "n": base64url_encode(numbers.n.to_bytes(bits // 8)),
        "e": base64url_encode(exponent.to_bytes(4)),
    }


RSA = rsa_key()


@pytest.mark.parametrize(
    ("jwk", "algorithm"),
    [
        (EC, "ES256"),
        (EC | {"alg": "ES256", "use": "sig", "key_ops": ["verify"], "kid": "k"}, "ES256"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}, "EdDSA"),
        (RSA, "RS256"),
        (RSA | {"alg": "PS256"}, "PS256"),
    ],
)
def test_a_key_has_one_algorithm(jwk: dict[str, Any], algorithm: str) -> None:
    key = verifying_key(jwk)
    assert (key.algorithm, key.id) == (algorithm, jwk.get("kid"))


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "AAAA", "alg": "HS256"},
        EC | {"crv": "P-521"},
        EC | {"crv": None},
        EC | {"alg": "RS256"},
        EC | {"alg": "HS256"},
        EC | {"alg": ["ES256"]},
        EC | {"use": "enc"},
        EC | {"key_ops": ["encrypt"]},
        {"kty": "RSA"},
        RSA | {"n": 5},
        RSA | {"n": "é"},
        RSA | {"e": base64url_encode(b"\1")},
        RSA | {"e": base64url_encode(b"\4")},
        RSA | {"n": "A" * 5000},
        RSA | {"n": base64url_encode(b"\xff" * 1025)},
        RSA | {"alg": "RS512"},
    ],
)
def test_a_key_that_is_not_taken(jwk: dict[str, Any]) -> None:
    """Symmetric, of another curve, for another algorithm or use, weak, or no key at all."""
    with pytest.raises(UnusableKey):
        verifying_key(jwk)


def test_a_short_rsa_key_is_refused() -> None:
    """Below 2048 bits (NIST SP 800-131A)."""
    with pytest.raises(UnusableKey, match="short"):
        verifying_key(rsa_key(1024))


def test_a_key_of_the_faulty_generator_is_refused() -> None:
    """ROCA: Wycheproof's own, which is long enough and has a usual exponent."""
    [key] = next(case for case in jose_cases("json_web_key_test") if case.name.endswith(":7")).key_set["keys"]
    with pytest.raises(UnusableKey, match="ROCA"):
        verifying_key(key)


def test_a_set_passes_over_what_it_cannot_use() -> None:
    """A key for encryption beside one for signatures is usual."""
    keys = verifying_keys({"keys": [EC | {"kid": "a", "use": "enc"}, EC | {"kid": "b"}, {"kty": "oct", "kid": "c"}]})
    assert [key.id for key in keys] == ["b"]


@pytest.mark.parametrize(
    "key_set",
    [
        {}, {"keys": None}, {"keys": {}}, {"keys": ["x"]}, {"keys": [EC] * 51},
        {"keys": [EC | {"kid": "a"}, EC | {"kid": "a", "use": "enc"}]},
    ],
)  # fmt: skip
def test_a_set_that_is_not_taken(key_set: dict[str, Any]) -> None:
    """No list, too long a list, or two keys of one id, usable or not."""
    with pytest.raises(UnusableKey):
        verifying_keys(key_set)
