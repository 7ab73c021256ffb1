"""Routes that are for the machine's own people alone: they answer where the Host header names the machine itself.

A page of a foreign site can't read them by letting its own name lead to 127.0.0.1 (DNS rebinding): its requests bear
that name.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from lib.config import LOOPBACK
from lib.http.request import RawRequest
from lib.kernel.errors import NotFound


def require_own_machine(raw: RawRequest) -> None:
    """Raise NotFound where the request was not sent to this machine by one of its own names."""
    try:
        host = urlsplit("//" + (raw.headers.get("host") or "")).hostname
    except ValueError:  # a bracket that is not closed
        host = None
    if host not in LOOPBACK:
        raise NotFound("There is nothing here by that name.")
