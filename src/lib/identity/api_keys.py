"""API keys as text: how they are made, recognised, shown and hashed. No I/O.

A key is `hg_`, 32 random base-62 digits (190 bits) and 6 base-62 digits of their CRC-32. The checksum lets us refuse a
mistyped or invented key without asking the store, and lets secret scanners recognise ours with certainty.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib

PREFIX = "hg_"
RANDOM_DIGITS = 32
CHECK_DIGITS = 6
SHOWN_CHARACTERS = len(PREFIX) + 8

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(f"{PREFIX}([0-9A-Za-z]{{{RANDOM_DIGITS}}})([0-9A-Za-z]{{{CHECK_DIGITS}}})")


def new_key() -> str:
    """Return a new key. It is shown to its maker once and never stored."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_DIGITS))
    return PREFIX + random + _checksum(random)


def is_key(text: str) -> bool:
    """Tell whether `text` has the shape and the checksum of a key. It says nothing of whether the key exists."""
    match = _SHAPE.fullmatch(text)
    return match is not None and match[2] == _checksum(match[1])


def shown_prefix(key: str) -> str:
    """Return the start of a key, enough for its owner to recognise it and useless for guessing the rest."""
    return key[:SHOWN_CHARACTERS]


def key_hash(key: str, pepper: bytes) -> str:
    """Return the keyed hash (HMAC-SHA-256, hex) under which a key is stored and found.

    A stolen database alone is useless without the pepper. Look-up by this value needs no constant-time comparison: who
    does not know the pepper can't steer it.
    """
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def derive(secret: str, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose from the deployment's secret (HKDF-Expand with one block, RFC 5869, 2.3)."""
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()


def _checksum(random: str) -> str:
    value = zlib.crc32(random.encode())
    digits = ""
    for _ in range(CHECK_DIGITS):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
