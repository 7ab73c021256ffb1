"""The pages that links in mails lead to."""

from __future__ import annotations

from lib.http.response import Response
from lib.mail.pages import CONTENT_SECURITY_POLICY, PAGES
from lib.web.operation import Plain
from lib.web.route import Route, read

_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_PAGES = {page.path: page for page in PAGES}


def _page(path: str) -> Route:
    html, title = _PAGES[path].html(), _PAGES[path].title.lower()

    async def show(_: Plain) -> Response:
        """Show a page."""
        return Response(200, _HEADERS, html)

    show.__name__ = f"show_{path[1:].replace('-', '_')}"
    about = "Its script sends what the link carries behind `#`, once a person presses the button."
    return read(path, None, show, f"The page of a mail: {title}", about, status=200, http="A page.")


ROUTES = [_page("/verify-email"), _page("/stop-email-change"), _page("/reset-password"), _page("/accept-invitation")]
