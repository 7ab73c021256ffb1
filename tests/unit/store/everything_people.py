"""What people's accounts ask of the store."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

from lib.config import AccountConfig, SignUp
from lib.events.event import Event
from lib.http.response import Finish
from lib.issuers.issuer import Identity
from lib.sessions import sessions
from lib.sign_in import (
    accounts,
    deletion,
    email_change,
    ended_by_operator,
    enrolment,
    login_store,
    logins,
    mail_token_store,
    password_change,
    second_factor_store,
    sign_in_cookies,
    sign_up,
    suspension,
    suspension_store,
    totp,
)
from lib.sign_in.passwords import HashCost
from lib.sign_in.reauthentication import Proof
from lib.store import conditions
from lib.store.schema import UserRow
from lib.store.tenant import Org, Person
from lib.users import account_store, people
from lib.users.person_store import PersonRow
from lib.web.app import App
from tests.unit.fakes import NOW, FakeClock
from tests.unit.sign_in.people import CONTEXT, PASSWORD, FakeMailer

_EMAIL, _NEW_EMAIL = "everybody@wonder.example", "everybody@glass.example"


async def use_people(parts: App, org_id: str) -> None:
    """Go all ways of an account, and in the end delete it; it is a member of an organisation too."""
    mailer = FakeMailer()
    open_to_all = replace(parts.config, account=AccountConfig(sign_up=SignUp.OPEN))
    parts = replace(parts, config=open_to_all, mailer=mailer)
    form = sign_up.Form(_EMAIL, PASSWORD, "Everybody")
    await _finish(await sign_up.sign_up(parts, form, CONTEXT))
    await _finish(await sign_up.sign_up(parts, form, CONTEXT))  # now it is known, and not confirmed yet
    await _finish(await password_change.reset_password(parts, mailer.token(), PASSWORD))
    await _finish(await password_change.request_reset(parts, _EMAIL, CONTEXT))
    dearer = replace(parts.passwords, cost=HashCost(128, 1))
    user = await accounts.sign_in(replace(parts, passwords=dearer), _EMAIL, PASSWORD, None, CONTEXT)
    await ended_by_operator.end_of_person(parts, _EMAIL)
    await ended_by_operator.end_of_everyone(parts, "", 1)
    for suspended in (True, False):
        await suspension.set_org(parts, org_id, suspended=suspended)
        await suspension.set_person(parts, user.id, suspended=suspended)
    await suspension_store.orgs(parts.database, "x", "", 20)
    await suspension_store.people(parts.database, "x", "", 20)
    group = [account_store.rename(user.id, 1, "x", NOW), second_factor_store.seal_anew(user.id, "x", "y", NOW)]
    work, event = parts.work("user:x"), Event("user.renamed", Person(user.id))
    await work.commit(event, *group, only_if=conditions.found_owner("users", user.id, 1))
    await work.commit(event, account_store.verify_email(user.id, "x", NOW))
    await _changes(parts, await _again(parts, user), mailer)
    await _codes(parts, await _again(parts, user))
    await parts.database.execute(
        Org(org_id),
        "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at) VALUES (?1, ?2, 'viewer', ?3, ?3)",
        *(org_id, user.id, NOW),
    )
    await deletion.delete(parts, await _again(parts, user), Proof(PASSWORD), CONTEXT)
    await mail_token_store.purge(parts.database, NOW)
    await _elsewhere(parts)


async def _elsewhere(parts: App) -> None:
    """Sign up with another provider, sign in with it, add a second way in and remove it."""
    attempt = sign_in_cookies.new_attempt("acme", "/", NOW)
    identity = Identity("https://login.acme.example", "somebody", "somebody@wonder.example", True, "Somebody")
    user, invitation = await logins.person_of(parts, identity, attempt)
    await logins.settle(parts, user, invitation)
    await logins.person_of(parts, identity, replace(attempt, state="second"))
    second = replace(identity, subject="second")
    await logins.add(parts, second, replace(attempt, state="third"), user.id)
    row = await login_store.find(parts.database, logins.login_hash(parts, second))
    assert row is not None
    await login_store.move(parts.database, row, row.secret_hash, NOW)
    session = await sessions.begin(parts, user, "", CONTEXT, None)
    principal = people.principal_of(PersonRow(user.id, *[None] * 11), "", "session", session.shown.id)
    await logins.remove(parts, principal, row.id, Proof(), CONTEXT)


async def _changes(parts: App, user: UserRow, mailer: FakeMailer) -> None:
    await _finish(await password_change.change_password(parts, user, Proof(PASSWORD), PASSWORD, CONTEXT))
    user = await _again(parts, user)
    await _finish(await email_change.request_change(parts, user, _NEW_EMAIL, Proof(PASSWORD), CONTEXT))
    await email_change.stop(parts, mailer.token(-2))
    user = await _again(parts, user)
    await _finish(await email_change.request_change(parts, user, _NEW_EMAIL, Proof(PASSWORD), CONTEXT))
    await _finish(await email_change.confirm(parts, mailer.token()))


async def _codes(parts: App, user: UserRow) -> None:
    secret = base64.b32decode((await enrolment.begin(parts, user, PASSWORD, CONTEXT)).secret)
    step = int(parts.clock.now().timestamp()) // totp.STEP_SECONDS
    codes, _ = await enrolment.confirm(parts, await _again(parts, user), totp.code_at(secret, step), CONTEXT)
    later = replace(parts, clock=FakeClock(parts.clock.now() + timedelta(seconds=totp.STEP_SECONDS)))
    await accounts.sign_in(later, _NEW_EMAIL, PASSWORD, totp.code_at(secret, step + 1), CONTEXT)
    await enrolment.end(parts, await _again(parts, user), PASSWORD, codes[0], CONTEXT)


async def _again(parts: App, user: UserRow) -> UserRow:
    found = await account_store.get(parts.database, user.id)
    assert found is not None
    return found


async def _finish(finish: Finish) -> None:
    await finish()
