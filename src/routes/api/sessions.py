"""`/api/v1/sessions`: what browsers sign in with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lib.access.principal import SELF, Principal
from lib.http import cookies
from lib.http.context import context_of
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.sessions import csrf, sessions
from lib.sessions.session_store import ShownSession
from lib.sessions.sessions import NewSession
from lib.sign_in import accounts, reauthentication
from lib.store.table import AFTER_ALL
from lib.users import people
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, Route, make, read, remove
from routes.schemas import Again, Code, Email, GivenPassword, Id, One, Page

ALL = "all"


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


async def create_session(parts: App, request: Validated[SignIn, NoQuery], _caller: None) -> Response:
    """Sign a browser in."""
    # Nobody is signed in yet whose token could be asked for, but a stranger's page must not choose who is.
    csrf.check_origin(request.headers, parts.config.session)
    body, context = request.body, context_of(request)
    user = await accounts.sign_in(parts, body.email, body.password, body.totp_code, context)
    org_id = await people.choose_org(parts, user.id, body.org_id)
    old = sessions.cookie_of(request.headers)
    return _begun(parts, await sessions.begin(parts, user, org_id, context, old), status=201)


async def list_sessions(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List one's own sessions, newest first."""
    [before] = decode_cursor(request.query.cursor, [AFTER_ALL])
    rows = await sessions.list_all(parts, str(principal.user_id), before, request.query.limit + 1)
    shown, more = cut(rows, request.query.limit, lambda row: [row.id])
    return render.page([Session(**_fields(row, principal.session_id)) for row in shown], more)


async def get_session(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one's own session, with what changes by it need."""
    row = await sessions.get(parts, principal, sessions.signed_in(principal))
    cookie = sessions.cookie_of(request.headers)
    secret = cookie.secret if cookie else ""
    token = csrf.token_of(secret, sessions.csrf_key(parts.config.secret))
    fields = _fields(row, row.id)
    return render.data(OwnSession(**fields, user_id=str(principal.user_id), csrf_token=token))


async def switch_session(parts: App, request: Validated[SwitchOrg, NoQuery], principal: Principal) -> Response:
    """Change to another organisation: with its rights comes another cookie."""
    sessions.signed_in(principal)
    org_id = await people.choose_org(parts, str(principal.user_id), request.body.org_id)
    return _begun(parts, await sessions.renew(parts, principal, org_id))


async def end_current_session(parts: App, _request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Sign out here."""
    await sessions.end(parts, principal, sessions.signed_in(principal))
    return _ended()


async def end_session(parts: App, request: Validated[Again, NoQuery], principal: Principal) -> Response:
    """Sign out elsewhere, or everywhere."""
    wanted = request.path["id"]
    own = principal.kind == "session" and wanted == principal.session_id
    if wanted != ALL:
        await sessions.get(parts, principal, wanted)
    if not own:
        user = await people.person(parts, principal)
        await reauthentication.lately(parts, principal, user, request.body.proof(), context_of(request))
    if wanted == ALL:
        await sessions.sign_out_everywhere(parts, str(principal.user_id))
        return _ended()
    await sessions.end(parts, principal, wanted)
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
        One[OwnSession],
        "Sign a browser in",
        "Sets the cookie `__Host-headgate`. A session that the browser had before ends.",
        errors=(401, 403, 404, 429),
    ),
    read("/api/v1/sessions", SELF, list_sessions, Page[Session], "List your sessions"),
    read(
        "/api/v1/sessions/current",
        SELF,
        get_session,
        One[OwnSession],
        "Show your session, with its CSRF token",
        errors=(404,),
    ),
    Route(
        method="PATCH",
        path="/api/v1/sessions/current",
        handler=switch_session,
        summary="Change to another organisation",
        description="The session gets another cookie and another CSRF token.",
        responses={200: One[OwnSession]},
        permission=SELF,
        body=SwitchOrg,
        errors=(404,),
    ),
    remove(
        "/api/v1/sessions/current",
        SELF,
        end_current_session,
        None,
        "Sign out",
        "It holds from the answer on.",
        errors=(404,),
    ),
    remove(
        "/api/v1/sessions/{id}",
        SELF,
        end_session,
        None,
        "Sign out elsewhere, or everywhere",
        "`all` ends every session and every app's tokens, at once. Asks for the password, and for a code where the"
        " account has them, unless the caller's own session was begun within ten minutes. An account without a"
        " password signs in again.",
        errors=(422,),
    ),
]
