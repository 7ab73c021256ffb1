"""`/api/v1/me`: a person's own account. What an open session must not be enough for asks for the password again."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from lib.access.principal import SELF, Principal
from lib.audit.differences import personal
from lib.events.event import Event
from lib.http import etag
from lib.http.context import context_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import PreconditionFailed
from lib.orgs import home_store
from lib.sign_in import deletion, email_change, password_change
from lib.sign_in.reauthentication import Proof
from lib.store.conditions import found_owner
from lib.store.schema import MembershipRow, UserRow
from lib.store.tenant import Person
from lib.users import account_store, people
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act, change, read, remove
from routes.schemas import Code, Email, GivenPassword, Mailed, Name, NewPassword, One, mailed

PATH = "/api/v1/me"


class Membership(BaseModel):
    """Where a person belongs, and as what."""

    org_id: str
    role: str


class Me(BaseModel):
    """A person. `org_id` is the organisation that this request works in, and `permissions` what it may do there.

    `second_factor_required`: nothing, since the organisation asks for codes at sign-in, and the person has none yet.
    """

    id: str
    email: str
    name: str
    email_verified: bool
    totp_enabled: bool
    org_id: str
    permissions: list[str]
    second_factor_required: bool
    memberships: list[Membership]
    created_at: datetime
    updated_at: datetime


class UpdateMe(BaseModel):
    """What to change."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None


class DeleteMe(BaseModel):
    """The password, once more; and a code, where the account has codes at sign-in."""

    model_config = ConfigDict(extra="forbid")
    password: GivenPassword
    totp_code: Code | None = None


class ChangePassword(BaseModel):
    """The password of now, and the one from now on; and a code, where the account has codes at sign-in."""

    model_config = ConfigDict(extra="forbid")
    current_password: GivenPassword
    totp_code: Code | None = None
    new_password: NewPassword


class ChangeEmail(BaseModel):
    """The address from now on, and the password; and a code, where the account has codes at sign-in."""

    model_config = ConfigDict(extra="forbid")
    email: Email
    password: GivenPassword
    totp_code: Code | None = None


async def get_me(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show who is calling."""
    user = await people.person(parts, principal)
    if etag.not_modified(request.headers, user.version):
        return Response(304, {"etag": etag.etag(user.version)})
    return await _shown(parts, principal, user)


async def update_me(parts: App, request: Validated[UpdateMe, NoQuery], principal: Principal) -> Response:
    """Change one's name."""
    user = await people.person(parts, principal)
    etag.required_match(request.headers, user.version)
    work, event = parts.work(principal.actor), Event("user.renamed", Person(user.id), details=personal("name"))
    statement = account_store.rename(user.id, user.version, request.body.name or user.name, work.now)
    if not await work.commit(event, statement, only_if=found_owner("users", user.id, user.version)):
        raise PreconditionFailed()
    return await _shown(parts, principal, await people.person(parts, principal))


async def delete_me(parts: App, request: Validated[DeleteMe, NoQuery], principal: Principal) -> Response:
    """Delete one's account."""
    user = await people.person(parts, principal, request.headers)
    proof = Proof(request.body.password, request.body.totp_code)
    await deletion.delete(parts, user, proof, context_of(request))
    return render.no_content()


async def change_password(parts: App, request: Validated[ChangePassword, NoQuery], principal: Principal) -> Response:
    """Change one's password."""
    user, body = await people.person(parts, principal, request.headers), request.body
    proof, context = Proof(body.current_password, body.totp_code), context_of(request)
    finish = await password_change.change_password(parts, user, proof, body.new_password, context)
    return render.no_content(finish)


async def change_email(parts: App, request: Validated[ChangeEmail, NoQuery], principal: Principal) -> Response:
    """Change one's address."""
    user, body = await people.person(parts, principal, request.headers), request.body
    proof = Proof(body.password, body.totp_code)
    finish = await email_change.request_change(parts, user, body.email, proof, context_of(request))
    return mailed(body.email, finish)


async def _shown(parts: App, principal: Principal, user: UserRow) -> Response:
    memberships = await home_store.memberships(parts.database, user.id)
    return render.versioned(_me(user, principal, memberships), user.version)


def _me(user: UserRow, principal: Principal, memberships: list[MembershipRow]) -> Me:
    return Me(
        id=user.id,
        email=user.email,
        name=user.name,
        email_verified=user.email_verified_at is not None,
        totp_enabled=user.totp_confirmed_at is not None,
        org_id=principal.org_id,
        permissions=[] if principal.lacks_second_factor else sorted(principal.scopes),
        second_factor_required=principal.lacks_second_factor,
        memberships=[Membership(org_id=row.org_id, role=row.role) for row in memberships],
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


ROUTES = [
    read(PATH, SELF, get_me, One[Me], "Show who you are", cached=True),
    change(PATH, SELF, update_me, One[Me], "Change your name", "Needs `If-Match` with the account's ETag."),
    remove(
        PATH,
        SELF,
        delete_me,
        None,
        "Delete your account",
        "For good: name, address, sessions and ways in go; what was used stays on the ledger, without a name. An"
        " organisation where you are alone ends too, with its keys. Where others have no owner but you, 409.",
        errors=(409, 412, 422),
    ),
    act(
        f"{PATH}/actions/change_password",
        SELF,
        change_password,
        None,
        "Change your password",
        "Ends all sessions and refresh tokens, this one too: sign in with the new one.",
        errors=(412,),
    ),
    act(
        f"{PATH}/actions/change_email",
        SELF,
        change_email,
        One[Mailed],
        "Change your address",
        "Sends a mail to the new one, which holds once `/api/v1/users/actions/verify_email` has its token.",
        status=202,
        errors=(412,),
    ),
]
