"""`/api/v1/me/actions/*_totp`: codes of an authenticator at sign-in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.access.principal import SELF
from lib.kernel.text import PRINTABLE
from lib.sign_in import enrolment
from lib.users import people
from lib.web.operation import Call, Finishing, NoQuery
from lib.web.route import act
from routes.schemas import GivenPassword

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


async def begin_totp(call: Call[BeginTotp, NoQuery]) -> TotpSecret:
    """Make a secret."""
    user = await people.person(call.parts, call.principal, call.request.headers)
    made = await enrolment.begin(call.parts, user, call.body.password, call.context)
    return TotpSecret(secret=made.secret, uri=made.uri)


async def confirm_totp(call: Call[ConfirmTotp, NoQuery]) -> Finishing[RecoveryCodes]:
    """Switch codes on."""
    user = await people.person(call.parts, call.principal, call.request.headers)
    codes, finish = await enrolment.confirm(call.parts, user, call.body.code, call.context)
    return Finishing(RecoveryCodes(recovery_codes=codes), finish)


async def end_totp(call: Call[EndTotp, NoQuery]) -> Finishing[None]:
    """Switch codes off."""
    user, body = await people.person(call.parts, call.principal, call.request.headers), call.body
    return Finishing(None, await enrolment.end(call.parts, user, body.password, body.code, call.context))


ROUTES = [
    act(
        "/api/v1/me/actions/begin_totp",
        SELF,
        begin_totp,
        "Begin with codes at sign-in",
        "The secret counts when it is confirmed. Beginning again makes another.",
        errors=(412,),
    ),
    act(
        "/api/v1/me/actions/confirm_totp",
        SELF,
        confirm_totp,
        "Switch codes at sign-in on",
        "From then on signing in needs a code. The answer's recovery codes are told this once.",
        errors=(412,),
    ),
    act("/api/v1/me/actions/disable_totp", SELF, end_totp, "Switch codes at sign-in off", errors=(412,)),
]
