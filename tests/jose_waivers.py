"""Wycheproof's valid cases that we refuse, each with its reason. No invalid case is waived: none is accepted."""

from __future__ import annotations

_SYMMETRIC = "HMAC: whoever verifies such a token could make it, and no issuer of ours needs that (RFC 8725, 3.1)"
_LONGER = "RSA or ECDSA with another hash or curve than SHA-256 and P-256: no issuer that we know signs so alone"
_CHARACTER = "HMAC, and a character that is not base64url's, which RFC 7515 forbids"
_NOT_THE_KEYS = "the token says PS384, its key says PS256: the algorithm is the key's"


def _signature(reason: str, *numbers: int) -> dict[str, str]:
    return {f"json_web_signature_test:{number}": reason for number in numbers}


WAIVED: dict[str, str] = {
    **_signature(_SYMMETRIC, 1, 348, 352, 357, 358, 359, 376, 377),
    **_signature(_LONGER, *range(264, 272), *range(320, 324), *range(325, 329), 347, 351),
    **_signature(_CHARACTER, 372, 373),
    **_signature(_NOT_THE_KEYS, 346, 350),
    **{f"json_web_key_test:{number}": _SYMMETRIC for number in (2, 13, 14, 15)},
}
