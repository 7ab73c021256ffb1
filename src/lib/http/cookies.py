"""Cookies (RFC 6265bis): the one that we set, and how it is read."""

from __future__ import annotations

# The prefix makes browsers refuse it unless it is Secure, for this host alone and for all paths: no sibling domain and
# no page without TLS can put one of its own in place of ours.
SESSION_COOKIE = "__Host-headgate"
MOST_CHARACTERS = 16 * 1024


def read(header: str | None, name: str = SESSION_COOKIE) -> str | None:
    """Return a cookie's value; None where it is not there, or there twice."""
    if not header or len(header) > MOST_CHARACTERS:
        return None
    pairs = (part.strip().partition("=") for part in header.split(";"))
    values = [value for found, _, value in pairs if found == name]
    return values[0] if len(values) == 1 else None


def setting(value: str, seconds: int, name: str = SESSION_COOKIE, *, crosses: bool = False) -> str:
    """Return the `Set-Cookie` of a cookie that no script reads; and no other site's form sends, unless it `crosses`."""
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite={'None' if crosses else 'Lax'}"


def clearing(name: str = SESSION_COOKIE) -> str:
    """Return the `Set-Cookie` that makes a browser forget the cookie."""
    return setting("", 0, name)
