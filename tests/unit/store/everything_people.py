"""What people's accounts ask of the store."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

from lib.config import AccountConfig, SignUp
from lib.http.response import Finish
from lib.identity import (
    account_store,
    accounts,
    deletion,
    email_change,
    ended_by_operator,
    enrolment,
    login_store,
    logins,
    mail_token_store,
    password_change,
    people,
    second_factor_store,
    sessions,
    sign_in_cookies,
    sign_up,
    suspension,
    suspension_store,
    totp,
)
from lib.identity.identity_provider import Identity
from lib.identity.passwords import Cost
from lib.identity.person_store import PersonRow
from lib.identity.reauthentication import Proof
from lib.kernel.event import Event
from lib.services import Services
from lib.store import conditions
from lib.store.schema import UserRow
from lib.store.scope import Org, Person
from tests.unit.fakes import NOW, FakeClock
from tests.unit.identity.people import CONTEXT, PASSWORD, FakeMailer

_EMAIL, _NEW_EMAIL = "everybody@wonder.example", "everybody@glass.example"


async def use_people(services: Services, org_id: str) -> None:
    """Go all ways of an account, and in the end delete it; it is a member of an organisation too."""
    mailer = FakeMailer()
    open_to_all = replace(services.config, account=AccountConfig(sign_up=SignUp.OPEN))
    services = replace(services, config=open_to_all, mailer=mailer)
    form = sign_up.Form(_EMAIL, PASSWORD, "Everybody")
    await _finish(await sign_up.sign_up(services, form, CONTEXT))
    await _finish(await sign_up.sign_up(services, form, CONTEXT))  # now it is known, and not confirmed yet
    await _finish(await password_change.reset_password(services, mailer.token(), PASSWORD))
    await _finish(await password_change.request_reset(services, _EMAIL, CONTEXT))
    dearer = replace(services.passwords, cost=Cost(128, 1))
    user = await accounts.sign_in(replace(services, passwords=dearer), _EMAIL, PASSWORD, None, CONTEXT)
    await ended_by_operator.end_of_person(services, _EMAIL)
    await ended_by_operator.end_of_everyone(services, "", 1)
    for suspended in (True, False):
        await suspension.set_org(services, org_id, suspended=suspended)
        await suspension.set_person(services, user.id, suspended=suspended)
    await suspension_store.orgs(services.database, "x", "", 20)
    await suspension_store.people(services.database, "x", "", 20)
    group = [account_store.rename(user.id, 1, "x", NOW), second_factor_store.seal_anew(user.id, "x", "y", NOW)]
    work, event = services.work("user:x"), Event("user.renamed", Person(user.id))
    await work.commit(event, *group, only_if=conditions.found_owner("users", user.id, 1))
    await work.commit(event, account_store.verify_email(user.id, "x", NOW))
    await _changes(services, await _again(services, user), mailer)
    await _codes(services, await _again(services, user))
    await services.database.execute(
        Org(org_id),
        "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at) VALUES (?1, ?2, 'viewer', ?3, ?3)",
        *(org_id, user.id, NOW),
    )
    await deletion.delete(services, await _again(services, user), Proof(PASSWORD), CONTEXT)
    await mail_token_store.purge(services.database, NOW)
    await _elsewhere(services)


async def _elsewhere(services: Services) -> None:
    """Sign up with another provider, sign in with it, add a second way in and remove it."""
    attempt = sign_in_cookies.new_attempt("acme", "/", NOW)
    identity = Identity("https://login.acme.example", "somebody", "somebody@wonder.example", True, "Somebody")
    user, invitation = await logins.person_of(services, identity, attempt)
    await logins.settle(services, user, invitation)
    await logins.person_of(services, identity, replace(attempt, state="second"))
    second = replace(identity, subject="second")
    await logins.add(services, second, replace(attempt, state="third"), user.id)
    row = await login_store.find(services.database, logins.login_hash(services, second))
    assert row is not None
    await login_store.move(services.database, row, row.secret_hash, NOW)
    session = await sessions.begin(services, user, "", CONTEXT, None)
    principal = people.principal_of(PersonRow(user.id, *[None] * 11), "", "session", session.shown.id)
    await logins.remove(services, principal, row.id, Proof(), CONTEXT)


async def _changes(services: Services, user: UserRow, mailer: FakeMailer) -> None:
    await _finish(await password_change.change_password(services, user, Proof(PASSWORD), PASSWORD, CONTEXT))
    user = await _again(services, user)
    await _finish(await email_change.request_change(services, user, _NEW_EMAIL, Proof(PASSWORD), CONTEXT))
    await email_change.stop(services, mailer.token(-2))
    user = await _again(services, user)
    await _finish(await email_change.request_change(services, user, _NEW_EMAIL, Proof(PASSWORD), CONTEXT))
    await _finish(await email_change.confirm(services, mailer.token()))


async def _codes(services: Services, user: UserRow) -> None:
    secret = base64.b32decode((await enrolment.begin(services, user, PASSWORD, CONTEXT)).secret)
    step = int(services.clock.now().timestamp()) // totp.STEP_SECONDS
    codes, _ = await enrolment.confirm(services, await _again(services, user), totp.code_at(secret, step), CONTEXT)
    later = replace(services, clock=FakeClock(services.clock.now() + timedelta(seconds=totp.STEP_SECONDS)))
    await accounts.sign_in(later, _NEW_EMAIL, PASSWORD, totp.code_at(secret, step + 1), CONTEXT)
    await enrolment.end(services, await _again(services, user), PASSWORD, codes[0], CONTEXT)


async def _again(services: Services, user: UserRow) -> UserRow:
    found = await account_store.get(services.database, user.id)
    assert found is not None
    return found


async def _finish(finish: Finish) -> None:
    await finish()
