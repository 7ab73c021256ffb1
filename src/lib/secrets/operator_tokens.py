"""What an operator shows: whoever knows the deployment's secret, and belongs to no organisation. No I/O.

A token is `hgo_`, the second at which it ends, `_` and a keyed hash (HMAC-SHA-256, hex) of all before it, under a key
derived from HEADGATE_SECRET. The secret itself never travels, and what is overheard is of use for five minutes at most.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime

from lib.secrets.api_keys import derive

PREFIX = "hgo_"
MOST_SECONDS = 300
_SHAPE = re.compile(rf"({PREFIX}([0-9]{{10,12}}))_([0-9a-f]{{64}})")


def new_token(secret: str, now: datetime, seconds: int = 60) -> str:
    """Return a token that ends after so many seconds, at most MOST_SECONDS."""
    signed = f"{PREFIX}{int(now.timestamp()) + min(seconds, MOST_SECONDS)}"
    return f"{signed}_{_mac(secret, signed)}"


def is_valid(token: str, secret: str, now: datetime) -> bool:
    """Tell whether a token is ours and has not ended. One that would last longer than any of ours is none."""
    match = _SHAPE.fullmatch(token)
    if match is None:
        return False
    signed, ends, mac = match.groups()
    # Compared in constant time, and first: what the rest of the token says is looked at only where it is ours.
    genuine = hmac.compare_digest(mac, _mac(secret, signed))
    return genuine and now.timestamp() < int(ends) <= now.timestamp() + MOST_SECONDS


def _mac(secret: str, signed: str) -> str:
    return hmac.new(derive(secret, "operator-token"), signed.encode(), hashlib.sha256).hexdigest()
