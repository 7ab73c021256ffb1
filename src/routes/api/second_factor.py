"""`/api/v1/me/actions/*_totp`: codes of an authenticator at sign-in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.access.principal import SELF, Principal
from lib.http.context import context_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.text import PRINTABLE
from lib.sign_in import enrolment
from lib.users import people
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act
from routes.schemas import GivenPassword, One

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]


class BeginTotp(BaseModel):
    """The password, once more."""

    model_config = ConfigDict(extra="forbid")
    password: GivenPassword


class ConfirmTotp(BaseModel):
    """A code of the authenticator that was given the secret."""

    model_config = ConfigDict(extra="forbid")
    code: Code


class EndTotp(BaseModel):
    """The password and one more code: the authenticator's, or a recovery code."""

    model_config = ConfigDict(extra="forbid")
    password: GivenPassword
    code: Code


class TotpSecret(BaseModel):
    """What to give the authenticator: `uri` as a QR code, or `secret` to type. It is told this once."""

    secret: str
    uri: str


class RecoveryCodes(BaseModel):
    """Each works once in the place of a code. They are told this once."""

    recovery_codes: list[str]


async def begin_totp(parts: App, request: Validated[BeginTotp, NoQuery], principal: Principal) -> Response:
    """Make a secret."""
    user = await people.person(parts, principal, request.headers)
    made = await enrolment.begin(parts, user, request.body.password, context_of(request))
    return render.data(TotpSecret(secret=made.secret, uri=made.uri))


async def confirm_totp(parts: App, request: Validated[ConfirmTotp, NoQuery], principal: Principal) -> Response:
    """Switch codes on."""
    user = await people.person(parts, principal, request.headers)
    codes, finish = await enrolment.confirm(parts, user, request.body.code, context_of(request))
    return render.data(RecoveryCodes(recovery_codes=codes))._replace(finish=finish)


async def end_totp(parts: App, request: Validated[EndTotp, NoQuery], principal: Principal) -> Response:
    """Switch codes off."""
    user, body = await people.person(parts, principal, request.headers), request.body
    return render.no_content(await enrolment.end(parts, user, body.password, body.code, context_of(request)))


ROUTES = [
    act(
        "/api/v1/me/actions/begin_totp",
        SELF,
        begin_totp,
        One[TotpSecret],
        "Begin with codes at sign-in",
        "The secret counts when it is confirmed. Beginning again makes another.",
        errors=(412,),
    ),
    act(
        "/api/v1/me/actions/confirm_totp",
        SELF,
        confirm_totp,
        One[RecoveryCodes],
        "Switch codes at sign-in on",
        "From then on signing in needs a code. The answer's recovery codes are told this once.",
        errors=(412,),
    ),
    act("/api/v1/me/actions/disable_totp", SELF, end_totp, None, "Switch codes at sign-in off", errors=(412,)),
]
