"""API keys as text: how they are made, recognised, shown and hashed. No I/O."""

from __future__ import annotations

import hashlib
import hmac

from lib.identity.opaque import is_secret, new_secret

PREFIX = "hg_"
SHOWN_CHARACTERS = len(PREFIX) + 8


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
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def secret_id(secret: str) -> str:
    """Return what tells one secret of a deployment from another, and nothing of what it is: 8 characters."""
    return derive(secret, "id")[:4].hex()


def derive(secret: str, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose from the deployment's secret (HKDF-Expand with one block, RFC 5869, 2.3)."""
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()
