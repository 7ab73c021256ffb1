"""Providers quote keys in their errors (OpenAI's 401 shows a part of ours). Nothing of a key reaches a client."""

from __future__ import annotations

import re

_KEY_LIKE = re.compile(rb"\b(?:sk|pk|rk|key|xai|gsk|org|proj)-[A-Za-z0-9_\-*.]{4,}")
REDACTED = b"[redacted]"


def redact(body: bytes, secrets: tuple[str, ...]) -> bytes:
    """Return an error body without our secrets and without anything that looks like a provider's key."""
    for secret in secrets:
        if len(secret) >= 4:
            body = body.replace(secret.encode(), REDACTED)
    return _KEY_LIKE.sub(REDACTED, body)
