"""`/api/v1/me`: a person's own account. What an open session must not be enough for asks for the password again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lib.access.principal import SELF, Principal
from lib.audit.differences import personal
from lib.events.event import Event
from lib.kernel.errors import PreconditionFailed
from lib.orgs import home_store
from lib.sign_in import deletion, email_change, password_change
from lib.sign_in.reauthentication import Proof
from lib.store.conditions import found_owner
from lib.store.schema import MembershipRow, UserRow
from lib.store.tenant import Person
from lib.users import account_store, people
from lib.web.operation import Call, Finishing, Item, NoQuery, Plain
from lib.web.route import act, change, read, remove
from routes.schemas import Code, Email, GivenPassword, Mailed, Name, NewPassword

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


async def get_me(call: Plain) -> Item[Me]:
    """Show who is calling."""
    return await _shown(call, await people.person(call.parts, call.principal))


async def update_me(call: Call[UpdateMe, NoQuery]) -> Item[Me]:
    """Change one's name."""
    user = await people.person(call.parts, call.principal)
    call.match(user.version)
    work, event = call.work, Event("user.renamed", Person(user.id), details=personal("name"))
    statement = account_store.rename(user.id, user.version, call.body.name or user.name, work.now)
    if not await work.commit(event, statement, only_if=found_owner("users", user.id, user.version)):
        raise PreconditionFailed()
    return await _shown(call, await people.person(call.parts, call.principal))


async def delete_me(call: Call[DeleteMe, NoQuery]) -> None:
    """Delete one's account."""
    user = await people.person(call.parts, call.principal, call.request.headers)
    proof = Proof(call.body.password, call.body.totp_code)
    await deletion.delete(call.parts, user, proof, call.context)


async def change_password(call: Call[ChangePassword, NoQuery]) -> Finishing[None]:
    """Change one's password."""
    user, body = await people.person(call.parts, call.principal, call.request.headers), call.body
    proof, context = Proof(body.current_password, body.totp_code), call.context
    finish = await password_change.change_password(call.parts, user, proof, body.new_password, context)
    return Finishing(None, finish)


async def change_email(call: Call[ChangeEmail, NoQuery]) -> Finishing[Mailed]:
    """Change one's address."""
    user, body = await people.person(call.parts, call.principal, call.request.headers), call.body
    proof = Proof(body.password, body.totp_code)
    finish = await email_change.request_change(call.parts, user, body.email, proof, call.context)
    return Finishing(Mailed(email=body.email), finish)


async def _shown(call: Call[Any, Any], user: UserRow) -> Item[Me]:
    memberships = await home_store.memberships(call.parts.database, user.id)
    return Item(_me(user, call.principal, memberships), user.version)


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
    read(PATH, SELF, get_me, "Show who you are", cached=True),
    change(PATH, SELF, update_me, "Change your name", "Needs `If-Match` with the account's ETag."),
    remove(
        PATH,
        SELF,
        delete_me,
        "Delete your account",
        "For good: name, address, sessions and ways in go; what was used stays on the ledger, without a name. An"
        " organisation where you are alone ends too, with its keys. Where others have no owner but you, 409.",
        errors=(409, 412, 422),
    ),
    act(
        f"{PATH}/actions/change_password",
        SELF,
        change_password,
        "Change your password",
        "Ends all sessions and refresh tokens, this one too: sign in with the new one.",
        errors=(412,),
    ),
    act(
        f"{PATH}/actions/change_email",
        SELF,
        change_email,
        "Change your address",
        "Sends a mail to the new one, which holds once `/api/v1/users/actions/verify_email` has its token.",
        status=202,
        errors=(412,),
    ),
]
