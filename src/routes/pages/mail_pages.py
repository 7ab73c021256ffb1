"""The pages that links in mails lead to."""

from __future__ import annotations

from typing import Any

from lib.http.request import Validated
from lib.http.response import Response
from lib.mail.pages import CONTENT_SECURITY_POLICY, PAGES
from lib.web.app import App
from lib.web.route import Handler, NoQuery, Route, read

_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_HTML = {page.path: page.html() for page in PAGES}
_TITLES = {page.path: page.title for page in PAGES}


async def show_verify_email(_parts: App, _request: Validated[None, NoQuery], _caller: Any) -> Response:
    """Show the page that confirms an address."""
    return _shown("/verify-email")


async def show_stop_email_change(_parts: App, _request: Validated[None, NoQuery], _caller: Any) -> Response:
    """Show the page that stops a change of address."""
    return _shown("/stop-email-change")


async def show_reset_password(_parts: App, _request: Validated[None, NoQuery], _caller: Any) -> Response:
    """Show the page that sets a new password."""
    return _shown("/reset-password")


async def show_accept_invitation(_parts: App, _request: Validated[None, NoQuery], _caller: Any) -> Response:
    """Show the page that accepts an invitation."""
    return _shown("/accept-invitation")


def _shown(path: str) -> Response:
    return Response(200, _HEADERS, _HTML[path])


def _page(path: str, handler: Handler) -> Route:
    about = "Its script sends what the link carries behind `#`, once a person presses the button."
    return read(path, None, handler, None, f"The page of a mail: {_TITLES[path].lower()}", about, status=200)


ROUTES = [
    _page("/verify-email", show_verify_email),
    _page("/stop-email-change", show_stop_email_change),
    _page("/reset-password", show_reset_password),
    _page("/accept-invitation", show_accept_invitation),
]
