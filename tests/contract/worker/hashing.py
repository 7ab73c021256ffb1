"""What a test asks of a password hasher, as JSON, and its answers. The test Worker and CPython both use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib.sign_in.passwords import HashCost, PasswordHasher


def perform_hashing(hasher: PasswordHasher, call: Mapping[str, Any]) -> str | bool:
    """Make one call."""
    secret = bytes.fromhex(call["secret"])
    if "salt" in call:
        return hasher.hash(secret, bytes.fromhex(call["salt"]), HashCost(*call["cost"]))
    return hasher.verify(call["encoded"], secret)
