"""`/api/v1/auth`: signing in with other providers. A browser goes there and comes back."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.http import cookies
from lib.http.response import Response
from lib.issuers.issuer import Returned, SignInAttempt
from lib.kernel.errors import BadRequest, Forbidden, HeadgateError
from lib.kernel.text import PRINTABLE
from lib.sessions import csrf
from lib.sign_in import sign_in_cookies, sign_in_with
from lib.web import render
from lib.web.operation import Call, NoQuery, Plain
from lib.web.render import One
from lib.web.route import KIB, act, read
from routes.schemas import Code, GoThere, LocalPath, Secret

# Shows the session, with what changes by it need.
HOME = "/api/v1/sessions/current"
_ERROR = re.compile(r"[a-z_]{1,64}")
_Text = Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=PRINTABLE)]
_ShortText = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=PRINTABLE)]
_LEADS = "It leads a browser on, with a cookie."
_NO_STORE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


class Providers(BaseModel):
    """Names of the providers, as `/api/v1/auth/{provider}/start` takes them."""

    providers: list[str]


class StartQuery(BaseModel):
    """Where to go when signed in: a path of this host."""

    return_to: LocalPath = HOME


class Start(StartQuery):
    """The same, with an invitation's secret: no address may hold that, since logs and histories keep addresses."""

    model_config = ConfigDict(extra="forbid")
    invitation: Secret | None = None


class CallbackForm(BaseModel):
    """What a provider sends the browser back with (RFC 6749, 4.1.2; RFC 9207). More of its own may be there."""

    state: _ShortText
    code: _Text | None = None
    iss: _ShortText | None = None
    error: _ShortText | None = None


class CallbackQuery(BaseModel):
    """The same, from a provider that can't post it; nothing where it has."""

    state: _ShortText | None = None
    code: _Text | None = None
    iss: _ShortText | None = None
    error: _ShortText | None = None


class ShowCode(BaseModel):
    """A code of the authenticator, or a recovery code."""

    model_config = ConfigDict(extra="forbid")
    totp_code: Code


async def list_providers(call: Plain) -> Providers:
    """Tell whom one may sign in with."""
    return Providers(providers=list(call.parts.issuers))


async def start(call: Call[None, StartQuery]) -> Response:
    """Send the browser to the provider."""
    name, headers = call.path["provider"], call.request.headers
    begun = await sign_in_with.begin(call.parts, name, call.query.return_to, headers)
    return Response(303, {**_NO_STORE, "location": begun.url, "set-cookie": begun.cookie})


async def start_by_page(call: Call[Start, NoQuery]) -> Response:
    """Tell a page where to send the browser."""
    name, body = call.path["provider"], call.body
    begun = await sign_in_with.begin_by_page(call.parts, name, body.return_to, body.invitation, call.request.headers)
    headers = {**_NO_STORE, "set-cookie": begun.cookie}
    return render.data(GoThere(authorization_url=begun.url), headers=headers)


async def callback(call: Call[None, CallbackQuery]) -> Response:
    """Take the browser back, and sign it in."""
    fields = call.query.model_dump(exclude_none=True)
    if call.query.state is None:
        posted = cookies.read(call.request.headers.get("cookie"), sign_in_cookies.ANSWER_COOKIE)
        fields = await sign_in_cookies.open_answer(call.parts, posted)
    said = CallbackForm(**fields)
    attempt = await _attempt(call, said)
    used = cookies.clearing(sign_in_cookies.ATTEMPT_COOKIE)
    try:
        back = await _come_back(call, said, attempt)
    except HeadgateError as failure:
        failure.headers["set-cookie"] = used
        raise
    location = f"{call.parts.config.account.public_url or ''}{back.path}"
    return Response(303, {**_NO_STORE, "location": location, "set-cookie": used}, cookies=back.cookies)


async def callback_by_form(call: Call[CallbackForm, NoQuery]) -> Response:
    """Take what the provider has made the browser post, and have the browser bring it itself.

    With another site's POST it sends no cookie that is `Lax`, the session's among them; where that leads to it does.
    """
    await _attempt(call, call.body)
    sealed = await sign_in_cookies.seal_answer(call.parts, call.body.model_dump(exclude_none=True))
    seconds = int(sign_in_cookies.ANSWER_TIME.total_seconds())
    cookie = cookies.setting(sealed, seconds, sign_in_cookies.ANSWER_COOKIE)
    location = f"{call.parts.config.account.public_url or ''}/api/v1/auth/{call.path['provider']}/callback"
    return Response(303, {**_NO_STORE, "location": location, "set-cookie": cookie})


async def show_code(call: Call[ShowCode, NoQuery]) -> Response:
    """Go on with a code."""
    csrf.check_origin(call.request.headers, call.parts.config.session)
    set_cookies = await sign_in_with.show_code(call.parts, call.body.totp_code, call.request.headers, call.context)
    return Response(204, {"cache-control": "no-store"}, cookies=set_cookies)


async def _attempt(call: Call[Any, Any], said: CallbackForm) -> SignInAttempt:
    """Return the attempt that an answer belongs to. Raises BadRequest where this browser has begun none such."""
    value = cookies.read(call.request.headers.get("cookie"), sign_in_cookies.ATTEMPT_COOKIE)
    return await sign_in_cookies.open_attempt(call.parts, value, call.path["provider"], said.state)


async def _come_back(
    call: Call[None, CallbackQuery], said: CallbackForm, attempt: SignInAttempt
) -> sign_in_with.CameBack:
    if said.error is not None:
        why = said.error if _ERROR.fullmatch(said.error) else "an error"
        raise Forbidden(f"The identity provider did not sign you in: {why}.", code="sign_in_refused")
    if said.code is None:
        raise BadRequest("The identity provider sent no code.", param="code")
    returned = Returned(said.code, said.iss)
    return await sign_in_with.come_back(call.parts, attempt, returned, call.request.headers, call.context)


ROUTES = [
    read("/api/v1/auth", None, list_providers, "List whom one may sign in with"),
    read(
        "/api/v1/auth/{provider}/start",
        None,
        start,
        "Go to a provider to sign in",
        "For a browser to be led to by a person: all but the navigation of a whole page is refused."
        " It comes back within ten minutes, signed in, to `return_to`; where the account asks for a code, with"
        " `sign_in=totp_required` in the query: `/api/v1/auth/actions/show_code` goes on.",
        status=303,
        errors=(403, 502, 503),
        http=_LEADS,
    ),
    act(
        "/api/v1/auth/{provider}/start",
        None,
        start_by_page,
        "Begin to sign in from a page of yours",
        "For a page of this origin or of `CORS_ORIGINS`: it sends the browser to `authorization_url`. Takes an"
        " invitation, which lets its person sign up.",
        errors=(403, 502),
        http=_LEADS,
        returns=One(GoThere),
    ),
    read(
        "/api/v1/auth/{provider}/callback",
        None,
        callback,
        "Come back from a provider",
        "Only the provider sends a browser here. An address opens an existing account when both the provider and"
        " the account have verified it.",
        status=303,
        errors=(401, 403, 409, 422, 429, 502, 503),
        http=_LEADS,
    ),
    act(
        "/api/v1/auth/{provider}/callback",
        None,
        callback_by_form,
        "Come back from a provider that posts its answer",
        "It leads on to the same address by GET, with the answer sealed in a cookie: no address holds it.",
        status=303,
        max_body_bytes=16 * KIB,
        form=True,
        http=_LEADS,
    ),
    act(
        "/api/v1/auth/actions/show_code",
        None,
        show_code,
        "Go on to sign in with a code",
        "Sets the session's cookie.",
        errors=(401, 403, 409, 429),
        http=_LEADS,
    ),
]
