"""Providers quote keys in their errors (OpenAI's 401 shows a part of ours). Nothing of a key reaches a client."""

from __future__ import annotations

import re

from lib.kernel import json_body
from lib.kernel.errors import BadRequest

REDACTED = b"[redacted]"
SHORTEST_SECRET = 4  # a shorter one would be found everywhere

# A digit or a star tells a key, whole or masked, from English words with a hyphen. xAI names our team and key by id.
KEY_LIKE = re.compile(
    rb"\b(?:(?:sk|pk|rk|key|xai|gsk|org|proj)[-_]|(?:Team|API key ID): )(?=[A-Za-z0-9_\-*.]*[0-9*])[A-Za-z0-9_\-*.]{6,}"
)


def redact(body: bytes, secrets: tuple[str, ...]) -> bytes:
    """Return an error body without our secrets and without anything that looks like a provider's key.

    A body that holds nothing of the kind comes back byte for byte.
    """
    hidden = sorted((secret.encode() for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)
    body = KEY_LIKE.sub(REDACTED, _replace(body, hidden))
    try:
        value = json_body.parse(body)
    except BadRequest:
        return body
    # JSON has many ways to write the same text: `\/`, `\u002b`. Look at what a client would read.
    clean = _walk(value, hidden)
    return body if clean == value else json_body.dump(clean)


def _replace(text: bytes, hidden: list[bytes]) -> bytes:
    for secret in hidden:
        text = text.replace(secret, REDACTED)
    return text


def _walk(value: object, hidden: list[bytes]) -> object:
    if isinstance(value, str):
        return KEY_LIKE.sub(REDACTED, _replace(value.encode(), hidden)).decode()
    if isinstance(value, dict):
        return {_walk(name, hidden): _walk(member, hidden) for name, member in value.items()}
    if isinstance(value, list):
        return [_walk(member, hidden) for member in value]
    return value
