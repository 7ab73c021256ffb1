"""The passwords that are tried first by whoever guesses: the most frequent of those that have leaked."""

from __future__ import annotations

import base64
import hashlib
from array import array
from bisect import bisect_left
from functools import cache

from lib.sign_in.common_password_data import HASHES


def short_hash(password: str) -> int:
    """Return the first 32 bits of a password's SHA-256: enough to tell it from common ones, and the list is small."""
    return int.from_bytes(hashlib.sha256(password.encode()).digest()[:4], "big")


def is_common(password: str) -> bool:
    """Tell whether a password is a common one, without regard to case. Of others, one in 140,000 is taken for one."""
    wanted = short_hash(password.casefold())
    known = _hashes()
    at = bisect_left(known, wanted)
    return at < len(known) and known[at] == wanted


@cache
def _hashes() -> array[int]:
    """Unpacked when the first password is chosen: until then an isolate holds the text alone."""
    hashes = array("I")  # 32 bits, little-endian, where we run: on Wasm, x86 and ARM
    hashes.frombytes(base64.b64decode(HASHES))
    return hashes
