"""`/api/v1/me/logins`: a person's ways in at other providers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.access.principal import SELF
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.response import Response
from lib.sign_in import login_store, logins, sign_in_with
from lib.users import people
from lib.web import render
from lib.web.operation import Call, Listing, NoQuery
from lib.web.render import One
from lib.web.route import act, read, remove
from routes.schemas import Again, GoThere, LocalPath

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


async def list_logins(call: Call[None, PageQuery]) -> Listing[Login]:
    """List one's own ways in."""
    user = await people.person(call.parts, call.principal)
    [after] = decode_cursor(call.query.cursor, [""])
    rows = await login_store.of_person(call.parts.database, user.id, logins.MOST_LOGINS)
    rest = [row for row in rows if row.id > after]
    shown, more = cut(rest[: call.query.limit + 1], call.query.limit, lambda row: [row.id])
    return Listing([Login.model_validate(row) for row in shown], more)


async def add_login(call: Call[AddLogin, NoQuery]) -> Response:
    """Begin to add a way in."""
    body, context = call.body, call.context
    begun = await sign_in_with.begin_adding(
        call.parts, call.principal, body.provider, body.return_to, body.proof(), context
    )
    return render.data(GoThere(authorization_url=begun.url), headers={"set-cookie": begun.cookie})


async def remove_login(call: Call[Again, NoQuery]) -> None:
    """Take a way in away."""
    await logins.remove(call.parts, call.principal, call.path["id"], call.body.proof(), call.context)


_AGAIN = (
    "Asks for the password again; an account without one must have signed in within ten minutes. Where the account has"
    " codes at sign-in, asks for one too."
)

ROUTES = [
    read(PATH, SELF, list_logins, "List your ways in at other providers"),
    act(
        PATH,
        SELF,
        add_login,
        "Add a way in at another provider",
        f"From a browser that is signed in. {_AGAIN} Send the browser to `authorization_url`: it comes back to"
        " `return_to`.",
        errors=(404, 502),
        http="It sets a cookie.",
        returns=One(GoThere),
    ),
    remove(
        f"{PATH}/{{id}}",
        SELF,
        remove_login,
        "Remove a way in",
        f"{_AGAIN} The last one stays: 409 where the account has no password either.",
        errors=(409, 422),
    ),
]
