"""Real signatures on CPython, by the `cryptography` package and PyJWT's readers of JWKs: a second opinion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm
from jwt.exceptions import InvalidKeyError

_ALGORITHMS: Mapping[str, Algorithm] = {
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "PS256": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256),
}


class CPythonSignatures:
    """Implements `lib.tokens.jwt.Signatures`. It counts what it is asked."""

    def __init__(self) -> None:
        self.verified = 0

    async def verify(self, algorithm: str, jwk: Mapping[str, Any], signature: bytes, message: bytes) -> bool:
        self.verified += 1
        taken = _ALGORITHMS[algorithm]
        try:
            return bool(taken.verify(message, taken.from_jwk(dict(jwk)), signature))
        except (InvalidKeyError, ValueError):
            return False

    async def sign(self, algorithm: str, private_jwk: Mapping[str, Any], message: bytes) -> bytes:
        taken = _ALGORITHMS[algorithm]
        return bytes(taken.sign(message, taken.from_jwk(dict(private_jwk))))

    async def new_key(self, algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
        private: Any
        if algorithm == "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        else:
            private = ed25519.Ed25519PrivateKey.generate()
        return _jwk(algorithm, private.public_key()), _jwk(algorithm, private)


def _jwk(algorithm: str, key: Any) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(_ALGORITHMS[algorithm].to_jwk(key))
    return {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "d")}
