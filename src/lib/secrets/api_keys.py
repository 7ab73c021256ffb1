"""API keys as text: how they are made, recognised, shown and hashed. No I/O."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from lib.secrets.opaque import is_secret, new_secret

PREFIX = "hg_"
SHOWN_CHARACTERS = len(PREFIX) + 8
_BLOCK_BYTES = 64  # of SHA-256


def new_key() -> str:
    """Return a new key. It is shown to its maker once and never stored."""
    return new_secret(PREFIX)


def is_key(text: str) -> bool:
    """Tell whether `text` has the shape and the checksum of a key. It says nothing of whether the key exists."""
    return is_secret(PREFIX, text)


def shown_prefix(key: str) -> str:
    """Return the start of a key, enough for its owner to recognise it and useless for guessing the rest."""
    return key[:SHOWN_CHARACTERS]


def key_hash(key: str, pepper: bytes) -> str:
    """Return the keyed hash (HMAC-SHA-256, hex) under which a key is stored and found.

    A stolen database alone is useless without the pepper. Look-up by this value needs no constant-time comparison: who
    does not know the pepper can't steer it.
    """
    inner, outer = (prepared.copy() for prepared in _prepared(pepper))
    inner.update(key.encode())
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(8)  # the deployment's secret, and earlier ones
def _prepared(pepper: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return HMAC's two hashes once they have the key (RFC 2104, 2): the same for each key that comes."""
    padded = (pepper if len(pepper) <= _BLOCK_BYTES else hashlib.sha256(pepper).digest()).ljust(_BLOCK_BYTES, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)
    return hashlib.sha256(inner), hashlib.sha256(outer)


def secret_id(secret: str) -> str:
    """Return what tells one secret of a deployment from another, and nothing of what it is: 8 characters."""
    return derive(secret, "id")[:4].hex()


def derive(secret: str, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose from the deployment's secret (HKDF-Expand with one block, RFC 5869, 2.3)."""
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()
