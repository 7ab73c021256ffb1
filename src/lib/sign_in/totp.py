"""One-time codes by time (RFC 6238): six digits, a step of 30 seconds, HMAC-SHA-1, as every authenticator has them.

SHA-1 is broken for signatures, not for HMAC (RFC 6194), and authenticators ignore any other.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote

DIGITS = 6
STEP_SECONDS = 30
SECRET_BYTES = 20  # RFC 4226, 4, R6
ISSUER = "Headgate"
# Its own step and the next, since people type slowly (RFC 6238, 5.2). No step to come: a code would live longer.
_DRIFT = (0, -1)


def new_secret() -> bytes:
    """Return a new secret, which authenticator and server share."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """Return a secret as people type it: base32."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, account: str) -> str:
    """Return what the QR code holds (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
    label = quote(f"{ISSUER}:{account}", safe="@")
    return f"otpauth://totp/{label}?secret={shown(secret)}&issuer={ISSUER}&digits={DIGITS}&period={STEP_SECONDS}"


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step (RFC 4226, 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, now: datetime, after: int | None) -> int | None:
    """Return the time step that a code is of, or None. A step that is not later than `after` was used: it has no code.

    Every candidate is compared, each in constant time.
    """
    current = int(now.timestamp()) // STEP_SECONDS
    given = code.encode()
    matching = [
        current + drift for drift in _DRIFT if hmac.compare_digest(code_at(secret, current + drift).encode(), given)
    ]
    usable = [step for step in matching if after is None or step > after]
    return usable[0] if usable else None
