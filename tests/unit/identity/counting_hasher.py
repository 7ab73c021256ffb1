"""The hasher of CPython, which notes how often it was asked: work is what a stranger can measure."""

from __future__ import annotations

from lib.identity.passwords import Cost
from tools.password_hasher import CffiArgon2


class CountingHasher(CffiArgon2):
    """Implements `lib.identity.passwords.PasswordHasher`."""

    def __init__(self) -> None:
        self.hashed = 0
        self.verified = 0

    def hash(self, secret: bytes, salt: bytes, cost: Cost) -> str:
        self.hashed += 1
        return super().hash(secret, salt, cost)

    def verify(self, encoded: str, secret: bytes) -> bool:
        self.verified += 1
        return super().verify(encoded, secret)
