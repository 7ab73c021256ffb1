"""Secrets that mean nothing by themselves: how they are made and recognised. No I/O.

A secret is a prefix, 32 random base-62 digits (190 bits) and 6 base-62 digits of their CRC-32. The checksum lets us
refuse a mistyped or invented one without asking the store, and lets secret scanners recognise ours with certainty.
"""

from __future__ import annotations

import re
import secrets
import zlib

RANDOM_DIGITS = 32
CHECK_DIGITS = 6

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(f"([0-9A-Za-z]{{{RANDOM_DIGITS}}})([0-9A-Za-z]{{{CHECK_DIGITS}}})")


def new_secret(prefix: str) -> str:
    """Return a new secret. It is shown to its holder once and never stored."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_DIGITS))
    return prefix + random + _checksum(random)


def is_secret(prefix: str, text: str) -> bool:
    """Tell whether `text` has the shape and the checksum of such a secret. It says nothing of whether it exists."""
    match = _SHAPE.fullmatch(text, len(prefix)) if text.startswith(prefix) else None
    return match is not None and match[2] == _checksum(match[1])


def _checksum(random: str) -> str:
    high, low = divmod(zlib.crc32(random.encode()), 62**3)
    return _three_digits(high) + _three_digits(low)


def _three_digits(value: int) -> str:
    return _ALPHABET[value // 62**2] + _ALPHABET[value // 62 % 62] + _ALPHABET[value % 62]
