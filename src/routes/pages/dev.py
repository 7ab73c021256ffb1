"""`/dev/outbox`: the mails that a Headgate on a developer's machine has kept instead of sending them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import NotFound
from lib.mail.sent_mail import CONTENT_SECURITY_POLICY, MOST_SHOWN, outbox_page
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, read
from routes.schemas import One


class Mail(BaseModel):
    """A mail that was not sent."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    to: str
    subject: str
    text: str
    html: str
    sent_at: str


class Mails(BaseModel):
    """The newest mails."""

    mails: list[Mail]


async def show_outbox(parts: App, request: Validated[None, NoQuery], _caller: None) -> Response:
    """Show the newest mails: a page, or JSON for who accepts that."""
    if parts.sent_mail is None:
        raise NotFound("There is no outbox here.")
    mails = await parts.sent_mail.newest(MOST_SHOWN)
    if "application/json" in (request.headers.get("accept") or "").lower():
        return render.data(Mails(mails=[Mail.model_validate(mail) for mail in mails]))
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return Response(200, headers, outbox_page(mails))


ROUTES = [
    read(
        "/dev/outbox",
        None,
        show_outbox,
        One[Mails],
        "Show the mails that were kept instead of sent",
        "Only where `MAIL` is `outbox`, as in `make dev`, and by a name of the machine itself, such as `localhost`."
        " A page; with `Accept: application/json` data.",
        errors=(404,),
        local=True,
    ),
]
