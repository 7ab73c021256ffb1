"""`/dev/outbox`: the mails that a Headgate on a developer's machine has kept instead of sending them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lib.http.response import Response
from lib.kernel.errors import NotFound
from lib.mail.sent_mail import CONTENT_SECURITY_POLICY, MOST_SHOWN, outbox_page
from lib.web import render
from lib.web.operation import Plain
from lib.web.render import One
from lib.web.route import read


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


async def show_outbox(call: Plain) -> Response:
    """Show the newest mails: a page, or JSON for who accepts that."""
    if call.parts.sent_mail is None:
        raise NotFound("There is no outbox here.")
    mails = await call.parts.sent_mail.newest(MOST_SHOWN)
    if "application/json" in (call.request.headers.get("accept") or "").lower():
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
        "Show the mails that were kept instead of sent",
        "Only where `MAIL` is `outbox`, as in `make dev`, and by a name of the machine itself, such as `localhost`."
        " A page; with `Accept: application/json` data.",
        errors=(404,),
        local=True,
        http="A page.",
        returns=One(Mails),
    ),
]
