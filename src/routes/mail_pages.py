"""The pages that links in mails lead to."""

from __future__ import annotations

from typing import Any

from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import Handler, NoQuery, Route
from lib.mail.pages import CONTENT_SECURITY_POLICY, PAGES, MailPage
from lib.services import Services

_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


def _handler(page: MailPage) -> Handler:
    html = page.html()

    async def show(_services: Services, _request: Validated[None, NoQuery], _caller: Any) -> Response:
        return Response(200, _HEADERS, html)

    show.__name__ = "show" + page.path.replace("/", "_").replace("-", "_")
    return show


ROUTES = [
    Route(
        method="GET",
        path=page.path,
        handler=_handler(page),
        summary=f"The page of a mail: {page.title.lower()}",
        description="Its script sends what the link carries behind `#`, once a person presses the button.",
        responses={200: None},
        permission=None,
    )
    for page in PAGES
]
