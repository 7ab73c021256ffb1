"""`/api/v1/me/logins`: a person's ways in at other providers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.access.principal import SELF, Principal
from lib.http.context import context_of
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.sign_in import login_store, logins, sign_in_with
from lib.users import people
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act, read, remove
from routes.schemas import Again, GoThere, LocalPath, One, Page

PATH = "/api/v1/me/logins"


class Login(BaseModel):
    """A way in. `email` is the address that the provider named when it was added."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    issuer: str
    email: str | None
    created_at: datetime


class AddLogin(Again):
    """A provider to sign in with from now on."""

    provider: Annotated[str, StringConstraints(min_length=1, max_length=31, pattern=r"^[a-z][a-z0-9-]*$")]
    return_to: LocalPath = PATH


async def list_logins(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List one's own ways in."""
    user = await people.person(parts, principal)
    [after] = decode_cursor(request.query.cursor, [""])
    rows = await login_store.of_person(parts.database, user.id, logins.MOST_LOGINS)
    rest = [row for row in rows if row.id > after]
    shown, more = cut(rest[: request.query.limit + 1], request.query.limit, lambda row: [row.id])
    return render.page([Login.model_validate(row) for row in shown], more)


async def add_login(parts: App, request: Validated[AddLogin, NoQuery], principal: Principal) -> Response:
    """Begin to add a way in."""
    body, context = request.body, context_of(request)
    begun = await sign_in_with.begin_adding(parts, principal, body.provider, body.return_to, body.proof(), context)
    return render.data(GoThere(authorization_url=begun.url), headers={"set-cookie": begun.cookie})


async def remove_login(parts: App, request: Validated[Again, NoQuery], principal: Principal) -> Response:
    """Take a way in away."""
    await logins.remove(parts, principal, request.path["id"], request.body.proof(), context_of(request))
    return render.no_content()


_AGAIN = (
    "Asks for the password again; an account without one must have signed in within ten minutes. Where the account has"
    " codes at sign-in, asks for one too."
)

ROUTES = [
    read(PATH, SELF, list_logins, Page[Login], "List your ways in at other providers"),
    act(
        PATH,
        SELF,
        add_login,
        One[GoThere],
        "Add a way in at another provider",
        f"From a browser that is signed in. {_AGAIN} Send the browser to `authorization_url`: it comes back to"
        " `return_to`.",
        errors=(404, 502),
    ),
    remove(
        f"{PATH}/{{id}}",
        SELF,
        remove_login,
        None,
        "Remove a way in",
        f"{_AGAIN} The last one stays: 409 where the account has no password either.",
        errors=(409, 422),
    ),
]
