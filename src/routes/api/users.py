"""`/api/v1/users`: making an account, confirming its address, and a forgotten password. Nobody is signed in here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lib.http.context import context_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.sign_in import email_change, password_change, sign_up
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act
from routes.schemas import Email, Mailed, Name, NewPassword, One, Secret, mailed

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


async def create_user(parts: App, request: Validated[SignUpForm, NoQuery], _caller: None) -> Response:
    """Make an account."""
    body = request.body
    form = sign_up.Form(body.email, body.password, body.name, body.invitation)
    return mailed(body.email, await sign_up.sign_up(parts, form, context_of(request)))


async def verify_email(parts: App, request: Validated[MailedToken, NoQuery], _caller: None) -> Response:
    """Confirm an address."""
    finish = await email_change.confirm(parts, request.body.token)
    return render.no_content(finish)


async def stop_email_change(parts: App, request: Validated[MailedToken, NoQuery], _caller: None) -> Response:
    """Keep an address."""
    await email_change.stop(parts, request.body.token)
    return render.no_content()


async def request_password_reset(parts: App, request: Validated[Address, NoQuery], _caller: None) -> Response:
    """Have a link sent."""
    email = request.body.email
    return mailed(email, await password_change.request_reset(parts, email, context_of(request)))


async def reset_password(parts: App, request: Validated[NewPasswordWithToken, NoQuery], _caller: None) -> Response:
    """Set a new password."""
    body = request.body
    finish = await password_change.reset_password(parts, body.token, body.password)
    return render.no_content(finish)


ROUTES = [
    act(
        "/api/v1/users",
        None,
        create_user,
        One[Mailed],
        "Sign up",
        f"Sends a mail to confirm the address with. {_SAME}",
        status=202,
        errors=(403, 422, 429),
    ),
    act(
        "/api/v1/users/actions/verify_email",
        None,
        verify_email,
        None,
        "Confirm an address",
        "With the token that was sent there: for a new account, or for an account's new address.",
        errors=(409, 422),
    ),
    act(
        "/api/v1/users/actions/stop_email_change",
        None,
        stop_email_change,
        None,
        "Stop a change of address",
        "With the token that the old address was sent when it was asked for. It voids all that is pending of the"
        " account: choose a new password next.",
        errors=(422,),
    ),
    act(
        "/api/v1/users/actions/request_password_reset",
        None,
        request_password_reset,
        One[Mailed],
        "Ask for a new password",
        f"Sends a mail to choose it with. {_SAME}",
        status=202,
        errors=(429,),
    ),
    act(
        "/api/v1/users/actions/reset_password",
        None,
        reset_password,
        None,
        "Choose a new password",
        "With the token that was sent by mail. Ends all sessions and refresh tokens.",
        errors=(422,),
    ),
]
