"""Requests that another site makes a browser send (CSRF): told by where they come from, and by a token that only our
own pages know. No I/O.

Whatever a browser sends of its own accord, cookies included, proves nobody's will. So a change by cookie needs both: no
word of the browser's that the page is another's (OWASP, Fetch Metadata and Origin), and `X-CSRF-Token`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from lib.config import SessionConfig
from lib.http.request import Headers
from lib.kernel.errors import Forbidden

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
TOKEN_HEADER = "x-csrf-token"  # noqa: S105 - the name of a header


def token_of(secret: str, key: bytes) -> str:
    """Return the token of a session: a keyed hash of its secret, so it ends with that and need not be stored."""
    return hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()


def check_token(headers: Headers, secret: str, keys: Iterable[bytes]) -> None:
    """Raise Forbidden unless the request shows its session's token, under one of these keys."""
    shown = (headers.get(TOKEN_HEADER) or "").encode()
    if not any(hmac.compare_digest(shown, token_of(secret, key).encode()) for key in keys):
        raise Forbidden("Send the session's `csrf_token` as `X-CSRF-Token`.", code="csrf_token_missing")


def check_origin(headers: Headers, config: SessionConfig) -> None:
    """Raise Forbidden where the browser says that the page is neither ours nor on the list of CORS_ORIGINS.

    Every browser says where a change comes from. What says nothing is no browser, and holds its cookie by its own will.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin in config.cors_origins:
        return
    foreign = site != "same-origin" if site is not None else origin not in (None, own_origin(config))
    if foreign:
        raise Forbidden("This page may not do that: its origin is not allowed.", code="origin_not_allowed")


def check_navigation(headers: Headers, config: SessionConfig) -> None:
    """Raise Forbidden where a browser says that no person has led it here, as a whole page (Fetch Metadata).

    Either the person did something for it, as pressing a link; or a page that we trust leads on. What says nothing is
    no browser, or an old one, as in `check_origin`.
    """
    said = {name: headers.get(f"sec-fetch-{name}") for name in ("site", "mode", "dest", "user")}
    if not any(said.values()):
        return
    whole = said["mode"] == "navigate" and said["dest"] == "document" and headers.get("sec-purpose") is None
    wanted = said["user"] == "?1" or is_trusted_page(headers, config)
    if not (whole and wanted):
        raise Forbidden("Only a person may lead a browser here, by a link or a button.", code="navigation_required")


def is_trusted_page(headers: Headers, config: SessionConfig) -> bool:
    """Tell whether a browser says that it was led here by a page of this origin, or of one on CORS_ORIGINS.

    A page may keep its own `Referer` back, and can't show another's.
    """
    if headers.get("sec-fetch-site") == "same-origin":
        return True
    try:
        parts = urlsplit(headers.get("referer") or "")
    except ValueError:
        return False
    return f"{parts.scheme}://{parts.netloc}" in config.cors_origins


def own_origin(config: SessionConfig) -> str | None:
    """Return the origin of PUBLIC_URL; None where it is not set."""
    parts = urlsplit(config.issuer)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None
