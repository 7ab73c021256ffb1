"""The passwords that are tried first by whoever guesses: the most frequent of those that have leaked."""

from __future__ import annotations

import base64
import hashlib
from array import array
from bisect import bisect_left

from lib.sign_in.common_password_data import HASHES


def short_hash(password: str) -> int:
    """Return the first 32 bits of a password's SHA-256: enough to tell it from common ones, and the list is small."""
    return int.from_bytes(hashlib.sha256(password.encode()).digest()[:4], "big")


def is_common(password: str) -> bool:
    """Tell whether a password is a common one, without regard to case. Of others, one in 140,000 is taken for one."""
    wanted = short_hash(password.casefold())
    at = bisect_left(_HASHES, wanted)
    return at < len(_HASHES) and _HASHES[at] == wanted


def _unpacked(text: str) -> array[int]:
    hashes = array("I")  # 32 bits, little-endian, where we run: on Wasm, x86 and ARM
    hashes.frombytes(base64.b64decode(text))
    return hashes


_HASHES = _unpacked(HASHES)
