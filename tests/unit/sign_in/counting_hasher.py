"""The hasher of CPython, which notes how often it was asked: work is what a stranger can measure."""

from __future__ import annotations

from lib.sign_in.passwords import HashCost
from tools.password_hasher import CffiArgon2


class CountingHasher(CffiArgon2):
    """Implements `lib.sign_in.passwords.PasswordHasher`."""

    def __init__(self) -> None:
        self.hashed = 0
        self.verified = 0

    def hash(self, secret: bytes, salt: bytes, cost: HashCost) -> str:
        self.hashed += 1
        return super().hash(secret, salt, cost)

    def verify(self, encoded: str, secret: bytes) -> bool:
        self.verified += 1
        return super().verify(encoded, secret)
