"""Signatures with WebCrypto (https://developers.cloudflare.com/workers/runtime-apis/web-crypto/)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, to_js

from lib.kernel.bounded import keep

_IMPORTS: Mapping[str, Mapping[str, str]] = {
    "ES256": {"name": "ECDSA", "namedCurve": "P-256"},
    "EdDSA": {"name": "Ed25519"},
    "RS256": {"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256"},
    "PS256": {"name": "RSA-PSS", "hash": "SHA-256"},
}
_USES: Mapping[str, Mapping[str, str | int]] = {
    "ES256": {"name": "ECDSA", "hash": "SHA-256"},
    "EdDSA": {"name": "Ed25519"},
    "RS256": {"name": "RSASSA-PKCS1-v1_5"},
    "PS256": {"name": "RSA-PSS", "saltLength": 32},
}
# What a key is. The rest of a JWK (`use`, `key_ops`, `alg`) was looked at before, and workerd has opinions of its own.
_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "d")
# An imported key is kept: to import one costs more than to use it.
MOST_KEPT = 200


class WebCryptoSignatures:
    """Implements `lib.tokens.jwt.Signatures`."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    async def verify(self, algorithm: str, jwk: Mapping[str, Any], signature: bytes, message: bytes) -> bool:
        try:
            key = await self._key(algorithm, jwk, "verify")
            verified = await js.crypto.subtle.verify(_object(_USES[algorithm]), key, to_js(signature), to_js(message))
        except JsException:  # a point that is not on its curve, or a signature of no possible length
            return False
        return bool(verified)

    async def sign(self, algorithm: str, private_jwk: Mapping[str, Any], message: bytes) -> bytes:
        key = await self._key(algorithm, private_jwk, "sign")
        return bytes((await js.crypto.subtle.sign(_object(_USES[algorithm]), key, to_js(message))).to_bytes())

    async def new_key(self, algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
        pair = await js.crypto.subtle.generateKey(_object(_IMPORTS[algorithm]), True, to_js(["sign", "verify"]))
        public = await _exported(pair.publicKey)
        return public, await _exported(pair.privateKey)

    async def _key(self, algorithm: str, jwk: Mapping[str, Any], use: str) -> Any:
        plain = {name: jwk[name] for name in _MEMBERS if name in jwk}
        name = json.dumps([algorithm, use, plain])
        if name not in self._kept:
            key = await js.crypto.subtle.importKey(
                "jwk", _object(plain), _object(_IMPORTS[algorithm]), False, to_js([use])
            )
            keep(self._kept, name, key, MOST_KEPT)
        return self._kept[name]


async def _exported(key: Any) -> dict[str, Any]:
    exported = json.loads(js.JSON.stringify(await js.crypto.subtle.exportKey("jwk", key)))
    return {name: exported[name] for name in _MEMBERS if name in exported}


def _object(value: Mapping[str, Any]) -> Any:
    return to_js(dict(value), dict_converter=Object.fromEntries)
