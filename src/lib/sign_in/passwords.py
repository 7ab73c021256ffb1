"""Passwords: what is refused, and how they are kept. Argon2id (RFC 9106) over a keyed hash of the password.

What Argon2id is given is HMAC-SHA-256(pepper, password): a stolen database is of no use without the deployment's
secret, and a password's length costs nothing. Parameters and salt are stored with the hash, as a PHC string; `keyid` in
it tells which of the deployment's secrets it is of.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from lib.kernel.errors import UnprocessableEntity
from lib.secrets.api_keys import derive, secret_id
from lib.sign_in.common_passwords import is_common

MOST_BYTES = 1024
SALT_BYTES = 16
HASH_BYTES = 32
# What must be left of a password when the words that anybody would try for this person are taken out.
OWN_CHARACTERS = 8
SHORTEST_WORD = 4
PRODUCT = "headgate"

_PHC = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})(?:,keyid=([0-9a-f]{8}))?\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
)
_KEY_ID = re.compile(r",keyid=[0-9a-f]{8}(?=\$)")


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one hash costs: memory in KiB, passes over it, and lanes."""

    memory_kib: int
    passes: int
    lanes: int = 1


class PasswordHasher(Protocol):
    """Argon2id, version 1.3, in the reference library's own format. Both block for as long as the cost says."""

    def hash(self, secret: bytes, salt: bytes, cost: HashCost) -> str:
        """Return the PHC string of a 32-byte hash."""
        ...

    def verify(self, encoded: str, secret: bytes) -> bool:
        """Tell whether a PHC string is of this secret, in time that does not depend on where they differ.

        False also where it is no PHC string of Argon2id.
        """
        ...


@dataclass(frozen=True, slots=True)
class Passwords:
    """How this deployment keeps passwords. `min_length` is in characters; `older` are the secrets of before."""

    hasher: PasswordHasher
    secret: str = field(repr=False)
    cost: HashCost
    min_length: int
    older: tuple[str, ...] = field(default=(), repr=False)

    def check(self, password: str, *about: str) -> None:
        """Refuse what is too easy: too short, common, or made of what is known `about` the person (address, name).

        There are no rules about kinds of characters. Raises UnprocessableEntity, code `weak_password`.
        """
        if len(password) < self.min_length:
            raise _weak(f"A password has at least {self.min_length} characters.")
        try:
            within_bytes(password)
        except ValueError as reason:
            raise _weak(f"{reason}.") from None
        if is_common(password):
            raise _weak("This password is one of the most common: it is tried first by whoever guesses.")
        if len(_without(password.casefold(), _words(about))) < OWN_CHARACTERS:
            raise _weak("This password is made of your name, your address or ours: these are tried first.")

    def hash(self, password: str) -> str:
        """Return what is stored."""
        made = self.hasher.hash(_peppered(self.secret, password), secrets.token_bytes(SALT_BYTES), self.cost)
        return re.sub(r"(,p=\d+)\$", rf"\1,keyid={secret_id(self.secret)}$", made, count=1)

    def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is the stored one.

        Where nothing is stored the work is the same: how long it takes must not tell whether an account exists. So all
        secrets are tried, whichever it is of.
        """
        told = _KEY_ID.sub("", stored or _nobodys(self.cost), count=1)
        good = [self.hasher.verify(told, _peppered(secret, password)) for secret in (self.secret, *self.older)]
        return any(good) and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a hash was made at another cost than the one that is configured now, or under another secret.

        Of one that names no secret nobody knows, so while there are two it is taken to be of the older.
        """
        found = _PHC.fullmatch(stored)
        if found is None or HashCost(int(found[1]), int(found[2]), int(found[3])) != self.cost:
            return True
        return bool(self.older) if found[4] is None else found[4] != secret_id(self.secret)


def _peppered(secret: str, password: str) -> bytes:
    return hmac.new(derive(secret, "password-pepper"), password.encode(), hashlib.sha256).digest()


def within_bytes(password: str) -> str:
    """Return a password as it is. Raises ValueError where it is longer than any that is taken: it is never cut."""
    if len(password.encode()) > MOST_BYTES:
        raise ValueError(f"A password has at most {MOST_BYTES} bytes")
    return password


def _nobodys(cost: HashCost) -> str:
    """Return a hash at this cost that is no password's: all bits are zero."""
    salt, nothing = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (SALT_BYTES, HASH_BYTES))
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${salt}${nothing}"


def _words(about: Iterable[str]) -> list[str]:
    """Return the words of a person's address and name, and our own name, the longest first."""
    texts = [text.casefold() for text in about]
    words = {PRODUCT, *texts, *(word for text in texts for word in re.split(r"[^\w]+", text))}
    return sorted((word for word in words if len(word) >= SHORTEST_WORD), key=len, reverse=True)


def _without(text: str, words: Iterable[str]) -> str:
    for word in words:
        text = text.replace(word, "")
    return text


def _weak(message: str) -> UnprocessableEntity:
    return UnprocessableEntity(message, code="weak_password", param="password")
