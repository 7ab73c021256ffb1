"""Argon2id on CPython, for the seed and for tests: argon2-cffi, which has the Worker's reference library."""

from __future__ import annotations

from argon2 import Type
from argon2.exceptions import Argon2Error, InvalidHash
from argon2.low_level import hash_secret, verify_secret

from lib.sign_in.passwords import HASH_BYTES, HashCost


class CffiArgon2:
    """Implements `lib.sign_in.passwords.PasswordHasher`."""

    def hash(self, secret: bytes, salt: bytes, cost: HashCost) -> str:
        made = hash_secret(secret, salt, cost.passes, cost.memory_kib, cost.lanes, HASH_BYTES, Type.ID)
        return made.decode()

    def verify(self, encoded: str, secret: bytes) -> bool:
        try:
            return verify_secret(encoded.encode(), secret, Type.ID)
        except (Argon2Error, InvalidHash):
            return False
