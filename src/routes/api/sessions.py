"""`/api/v1/sessions`: what browsers sign in with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lib.access.principal import SELF
from lib.http import cookies
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.response import Response
from lib.sessions import csrf, sessions
from lib.sessions.session_store import ShownSession
from lib.sessions.sessions import NewSession
from lib.sign_in import accounts, reauthentication
from lib.store.table import AFTER_ALL
from lib.users import people
from lib.web import render
from lib.web.app import App
from lib.web.operation import Call, Listing, NoQuery, Plain
from lib.web.render import One
from lib.web.route import Kind, make, read, remove
from routes.schemas import Again, Code, Email, GivenPassword, Id

ALL = "all"
_COOKIE = "It sets or clears the session's cookie."


class SignIn(BaseModel):
    """A person's own address and password. Without `org_id` the first organisation it joined is the active one."""

    model_config = ConfigDict(extra="forbid")
    email: Email
    password: GivenPassword
    totp_code: Code | None = None
    org_id: Id | None = None


class SwitchOrg(BaseModel):
    """The organisation to be active in from now on."""

    model_config = ConfigDict(extra="forbid")
    org_id: Id


class Session(BaseModel):
    """A browser's session. `org_id` is the active organisation; null where the person is in none."""

    id: str
    org_id: str | None
    current: bool
    user_agent: str | None
    address: str | None
    seen_at: datetime
    expires_at: datetime
    created_at: datetime


class OwnSession(Session):
    """The caller's own session. Each change by its cookie needs `csrf_token` as the header `X-CSRF-Token`."""

    user_id: str
    csrf_token: str


async def create_session(call: Call[SignIn, NoQuery]) -> Response:
    """Sign a browser in."""
    # Nobody is signed in yet whose token could be asked for, but a stranger's page must not choose who is.
    csrf.check_origin(call.request.headers, call.parts.config.session)
    body, context = call.body, call.context
    user = await accounts.sign_in(call.parts, body.email, body.password, body.totp_code, context)
    org_id = await people.choose_org(call.parts, user.id, body.org_id)
    old = sessions.cookie_of(call.request.headers)
    return _begun(call.parts, await sessions.begin(call.parts, user, org_id, context, old), status=201)


async def list_sessions(call: Call[None, PageQuery]) -> Listing[Session]:
    """List one's own sessions, newest first."""
    [before] = decode_cursor(call.query.cursor, [AFTER_ALL])
    rows = await sessions.list_all(call.parts, str(call.principal.user_id), before, call.query.limit + 1)
    shown, more = cut(rows, call.query.limit, lambda row: [row.id])
    return Listing([Session(**_fields(row, call.principal.session_id)) for row in shown], more)


async def get_session(call: Plain) -> OwnSession:
    """Show one's own session, with what changes by it need."""
    row = await sessions.get(call.parts, call.principal, sessions.signed_in(call.principal))
    cookie = sessions.cookie_of(call.request.headers)
    secret = cookie.secret if cookie else ""
    token = csrf.token_of(secret, sessions.csrf_key(call.parts.config.secret))
    fields = _fields(row, row.id)
    return OwnSession(**fields, user_id=str(call.principal.user_id), csrf_token=token)


async def switch_session(call: Call[SwitchOrg, NoQuery]) -> Response:
    """Change to another organisation: with its rights comes another cookie."""
    sessions.signed_in(call.principal)
    org_id = await people.choose_org(call.parts, str(call.principal.user_id), call.body.org_id)
    return _begun(call.parts, await sessions.renew(call.parts, call.principal, org_id))


async def end_current_session(call: Plain) -> Response:
    """Sign out here."""
    await sessions.end(call.parts, call.principal, sessions.signed_in(call.principal))
    return _ended()


async def end_session(call: Call[Again, NoQuery]) -> Response:
    """Sign out elsewhere, or everywhere."""
    wanted = call.path["id"]
    own = call.principal.kind == "session" and wanted == call.principal.session_id
    if wanted != ALL:
        await sessions.get(call.parts, call.principal, wanted)
    if not own:
        user = await people.person(call.parts, call.principal)
        await reauthentication.lately(call.parts, call.principal, user, call.body.proof(), call.context)
    if wanted == ALL:
        await sessions.sign_out_everywhere(call.parts, str(call.principal.user_id))
        return _ended()
    await sessions.end(call.parts, call.principal, wanted)
    return _ended() if own else render.no_content()


def _begun(parts: App, new: NewSession, status: int = 200) -> Response:
    seconds = int((new.shown.expires_at - parts.clock.now()).total_seconds())
    headers = {"set-cookie": cookies.setting(new.cookie.value, seconds)}
    if status == 201:
        headers["location"] = f"/api/v1/sessions/{new.shown.id}"
    fields = _fields(new.shown, new.shown.id)
    body = OwnSession(**fields, user_id=new.cookie.user_id, csrf_token=new.csrf_token)
    return render.data(body, status=status, headers=headers)


def _ended() -> Response:
    response = render.no_content()
    return Response(response.status, {**response.headers, "set-cookie": cookies.clearing()})


def _fields(row: ShownSession, own_id: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "org_id": row.active_org_id,
        "current": row.id == own_id,
        "user_agent": row.user_agent,
        "address": row.address,
        "seen_at": row.seen_at,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
    }


ROUTES = [
    make(
        "/api/v1/sessions",
        None,
        create_session,
        "Sign a browser in",
        "Sets the cookie `__Host-headgate`. A session that the browser had before ends.",
        errors=(401, 403, 404, 429),
        http=_COOKIE,
        returns=One(OwnSession),
    ),
    read("/api/v1/sessions", SELF, list_sessions, "List your sessions"),
    read("/api/v1/sessions/current", SELF, get_session, "Show your session, with its CSRF token", errors=(404,)),
    Kind("PATCH")(
        "/api/v1/sessions/current",
        SELF,
        switch_session,
        "Change to another organisation",
        "The session gets another cookie and another CSRF token.",
        errors=(404,),
        http=_COOKIE,
        returns=One(OwnSession),
    ),
    remove(
        "/api/v1/sessions/current",
        SELF,
        end_current_session,
        "Sign out",
        "It holds from the answer on.",
        errors=(404,),
        http=_COOKIE,
    ),
    remove(
        "/api/v1/sessions/{id}",
        SELF,
        end_session,
        "Sign out elsewhere, or everywhere",
        "`all` ends every session and every app's tokens, at once. Asks for the password, and for a code where the"
        " account has them, unless the caller's own session was begun within ten minutes. An account without a"
        " password signs in again.",
        errors=(422,),
        http=_COOKIE,
    ),
]
