"""`/api/v1/users`: making an account, confirming its address, and a forgotten password. Nobody is signed in here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lib.sign_in import email_change, password_change, sign_up
from lib.web.operation import Call, Finishing, NoQuery
from lib.web.route import act
from routes.schemas import Email, Mailed, Name, NewPassword, Secret

_SAME = "The answer is the same, and comes as fast, whether or not somebody has this address."


class SignUpForm(BaseModel):
    """Who signs up. `invitation` is the secret of an invitation, where accounts are made by invitation."""

    model_config = ConfigDict(extra="forbid")
    email: Email
    password: NewPassword
    name: Name
    invitation: Secret | None = None


class MailedToken(BaseModel):
    """What was sent by mail."""

    model_config = ConfigDict(extra="forbid")
    token: Secret


class Address(BaseModel):
    """An account's address."""

    model_config = ConfigDict(extra="forbid")
    email: Email


class NewPasswordWithToken(BaseModel):
    """A new password, and what was sent by mail."""

    model_config = ConfigDict(extra="forbid")
    token: Secret
    password: NewPassword


async def create_user(call: Call[SignUpForm, NoQuery]) -> Finishing[Mailed]:
    """Make an account."""
    body = call.body
    form = sign_up.Form(body.email, body.password, body.name, body.invitation)
    return Finishing(Mailed(email=body.email), await sign_up.sign_up(call.parts, form, call.context))


async def verify_email(call: Call[MailedToken, NoQuery]) -> Finishing[None]:
    """Confirm an address."""
    finish = await email_change.confirm(call.parts, call.body.token)
    return Finishing(None, finish)


async def stop_email_change(call: Call[MailedToken, NoQuery]) -> None:
    """Keep an address."""
    await email_change.stop(call.parts, call.body.token)


async def request_password_reset(call: Call[Address, NoQuery]) -> Finishing[Mailed]:
    """Have a link sent."""
    email = call.body.email
    return Finishing(Mailed(email=email), await password_change.request_reset(call.parts, email, call.context))


async def reset_password(call: Call[NewPasswordWithToken, NoQuery]) -> Finishing[None]:
    """Set a new password."""
    body = call.body
    finish = await password_change.reset_password(call.parts, body.token, body.password)
    return Finishing(None, finish)


ROUTES = [
    act(
        "/api/v1/users",
        None,
        create_user,
        "Sign up",
        f"Sends a mail to confirm the address with. {_SAME}",
        status=202,
        errors=(403, 422, 429),
    ),
    act(
        "/api/v1/users/actions/verify_email",
        None,
        verify_email,
        "Confirm an address",
        "With the token that was sent there: for a new account, or for an account's new address.",
        errors=(409, 422),
    ),
    act(
        "/api/v1/users/actions/stop_email_change",
        None,
        stop_email_change,
        "Stop a change of address",
        "With the token that the old address was sent when it was asked for. It voids all that is pending of the"
        " account: choose a new password next.",
        errors=(422,),
    ),
    act(
        "/api/v1/users/actions/request_password_reset",
        None,
        request_password_reset,
        "Ask for a new password",
        f"Sends a mail to choose it with. {_SAME}",
        status=202,
        errors=(429,),
    ),
    act(
        "/api/v1/users/actions/reset_password",
        None,
        reset_password,
        "Choose a new password",
        "With the token that was sent by mail. Ends all sessions and refresh tokens.",
        errors=(422,),
    ),
]
