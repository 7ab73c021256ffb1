"""Public identifiers: UUIDv7 (RFC 9562, 5.7), so that they sort by the time they were made."""

from __future__ import annotations

import os
import re
from datetime import datetime

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM = ~(0xF << 76 | 0x3 << 62)  # and the time


def new_id(now: datetime) -> str:
    """Return a new UUIDv7: 48 bits of milliseconds since 1970, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | int.from_bytes(os.urandom(10))
    value = value & _RANDOM | _VERSION_AND_VARIANT
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def first_id(time: datetime) -> str:
    """Return what sorts before every id made at this time or later, and behind all made before its millisecond."""
    digits = f"{int(time.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def is_id(text: str) -> bool:
    """Tell whether `text` is a UUIDv7 in its canonical form."""
    return _UUID7.fullmatch(text) is not None


def milliseconds_of(text: str) -> int | None:
    """Return when a UUIDv7 was made, in milliseconds since 1970; None where `text` is none."""
    return int(text[:8] + text[9:13], 16) if is_id(text) else None
