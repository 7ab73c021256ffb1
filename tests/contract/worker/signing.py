"""What the tests ask of the platform's signatures. Runs in the test Worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib.runtime.signatures import WebCryptoSignatures
from lib.tokens import jwk, jwt


async def judge(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Judge each token by its keys: `""` where it is good, else why not. Then make, use and misuse keys of our own."""
    signatures = WebCryptoSignatures()
    verdicts = [await _verdict(signatures, token, key_set) for token, key_set in asked["tokens"]]
    return {"verdicts": verdicts, "made": {name: await _made(signatures, name) for name in asked["algorithms"]}}


async def _verdict(signatures: WebCryptoSignatures, text: str, key_set: Mapping[str, Any]) -> str:
    try:
        await jwt.verify(signatures, jwt.parse(text), jwk.verifying_keys(key_set))
    except (jwt.InvalidToken, jwk.UnusableKey) as reason:
        return str(reason)
    return ""


async def _made(signatures: WebCryptoSignatures, algorithm: str) -> dict[str, Any]:
    public, private = await signatures.new_key(algorithm)
    other, _ = await signatures.new_key(algorithm)
    key = jwk.verifying_key({**public, "kid": "k", "alg": algorithm})
    token = await jwt.issue(signatures, key, private, "at+jwt", {"sub": "somebody"})
    parsed = jwt.parse(token)
    return {
        "public": public,
        "private": sorted(private),
        "token": token,
        "verified": await signatures.verify(algorithm, public, parsed.signature, parsed.signed),
        "by_another": await signatures.verify(algorithm, other, parsed.signature, parsed.signed),
        "of_another": await signatures.verify(algorithm, public, parsed.signature, parsed.signed + b"x"),
    }
