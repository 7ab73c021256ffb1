"""Invitations: who may invite whom, and who may accept."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lib.config import AccountConfig, MailConfig, MailKind
from lib.orgs import home_store, invitation_service, invitation_store, org_service
from lib.sign_in import deletion
from lib.store.tenant import Org
from lib.users import people
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.members import Caller, again, events, join, owned
from tests.unit.world import World

GUEST = "guest@example.com"
ACCEPT = "/api/v1/invitations/actions/accept"
CHAT = "/v1/chat/completions"
CALL = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}


def invite(owner: Caller, email: str = GUEST, **what: object) -> str:
    """Invite somebody; return the token in the mail."""
    answer = owner.ask("POST", "invitations", {"email": email, **(what or {"role": "developer"})})
    assert answer.status == 201, answer.body
    return token(owner.world)


def token(world: World) -> str:
    [found] = set(re.findall(r"hgi_\w+", world.people.mailer.sent[-1].text))
    return str(found)


def test_who_is_invited_becomes_a_member() -> None:
    """By the token in the mail, and what the invitation says; the answer never holds the token."""
    world, owner = owned()
    answer = owner.ask("POST", "invitations", {"email": " Guest@Example.com ", "role": "developer"})
    assert (answer.data["email"], answer.data["role"], answer.data["invited_by_user_id"]) == (
        GUEST,
        "developer",
        owner.id,
    )
    assert answer.data["expires_at"] == "2026-05-11T12:30:15.123456Z"
    mail = world.people.mailer.sent[-1]
    assert mail.to == GUEST
    assert token(world) in mail.html
    assert token(world) not in str(answer.body)
    guest = join(world, None, GUEST)
    assert guest.ask("POST", ACCEPT, {"token": token(world)}).data == {"org_id": world.org_id}
    assert guest.ask("GET", "/api/v1/orgs").data[0]["role"] == "developer"
    member = again(guest, world.org_id)
    assert member.ask("GET", "members").status == 200
    [listed] = owner.ask("GET", "invitations").data
    assert listed["accepted_at"] is not None
    assert [action for action, _ in events(world)] == ["invitation.created", "member.joined"]
    assert (answer.data["token"], answer.data["link"], answer.data["mailed"]) == (None, None, True)


def test_who_left_by_a_deletion_that_broke_off_comes_back_to_its_own_key() -> None:
    """Leaving revoked the key; a new membership without one would be worth nothing. It is counted on as before."""
    world, owner = owned()
    guest = join(world, "developer", GUEST)
    [before] = keys_of(guest)
    left = home_store.leave(world.org_id, guest.id, NOW)
    run(world.parts.database.batch(Org(world.org_id), left))
    [revoked] = keys_of(guest)
    assert revoked["revoked_at"] is not None
    assert guest.ask("POST", CHAT, CALL).status == 403

    assert guest.ask("POST", ACCEPT, {"token": invite(owner)}).status == 200
    member = again(guest, world.org_id)
    assert member.ask("GET", "members").status == 200
    assert member.ask("POST", CHAT, CALL).status == 200
    [after] = keys_of(guest)
    assert (after["id"], after["revoked_at"]) == (before["id"], None)
    assert world.gates.opened[-1].key_id == before["id"]


def test_no_key_is_given_back_to_who_is_no_member() -> None:
    """However often it is asked for."""
    world, _ = owned()
    guest = join(world, "developer", GUEST)
    run(world.parts.database.batch(Org(world.org_id), home_store.leave(world.org_id, guest.id, NOW)))
    run(people.ensure_key(world.parts, world.org_id, guest.id))
    [key] = keys_of(guest)
    assert key["revoked_at"] is not None


def test_who_is_in_as_many_organisations_as_it_may_joins_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is used up by that, nor noted; who has left one accepts the same invitation."""
    world, owner = owned()
    guest = join(world, None, GUEST)
    home = guest.ask("POST", "/api/v1/orgs", {"name": "Home"}).data["id"]
    invited = invite(owner)
    monkeypatch.setattr(org_service, "MOST_OF_ONE_PERSON", 1)
    refused = guest.ask("POST", ACCEPT, {"token": invited})
    assert (refused.status, refused.error["code"]) == (409, "too_many_orgs")
    assert [action for action, _ in events(world)] == ["invitation.created"]
    assert guest.ask("POST", ACCEPT, {"token": "hgi_" + "x" * 38}).status == 404
    world.binding.connection.execute("DELETE FROM memberships WHERE org_id = ?", (home,))
    assert guest.ask("POST", ACCEPT, {"token": invited}).status == 200
    assert [action for action, _ in events(world)] == ["invitation.created", "member.joined"]


def keys_of(caller: Caller) -> list[dict[str, object]]:
    """Return the keys that a member's calls are counted on."""
    return caller.world.binding.rows(
        "SELECT id, revoked_at FROM api_keys WHERE org_id = ? AND user_id = ?", caller.world.org_id, caller.id
    )


def test_no_secret_is_kept() -> None:
    """Only a keyed hash of the token is in the store."""
    world, owner = owned()
    invite(owner)
    assert token(world) not in "\n".join(world.binding.connection.iterdump())


def test_an_invitation_works_once() -> None:
    """Who has left is not in again by the old mail."""
    world, owner = owned()
    secret, guest = invite(owner), join(world, None, GUEST)
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 200
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 404
    owner.ask("DELETE", f"members/{guest.id}")
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 404
    assert guest.ask("GET", "/api/v1/orgs").data == []


def test_an_invitation_is_for_one_address() -> None:
    """Whoever gets hold of the mail with another account has nothing of it, and learns nothing."""
    world, owner = owned()
    secret = invite(owner)
    thief = join(world, None, "thief@example.com")
    stolen = thief.ask("POST", ACCEPT, {"token": secret})
    invented = thief.ask("POST", ACCEPT, {"token": "hgi_" + "x" * 38})
    assert stolen.status == invented.status == 404
    assert stolen.error["message"] == invented.error["message"]
    assert thief.ask("GET", "/api/v1/orgs").data == []


def test_an_invitation_ends() -> None:
    """By itself, when it is taken back, and when another is sent to the same address."""
    world, owner = owned()
    guest = join(world, None, GUEST)
    secret = invite(owner, role="viewer", expires_in_hours=1)
    invited = owner.ask("GET", "invitations").data[0]["id"]
    assert owner.ask("DELETE", f"invitations/{invited}").status == 204
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 404
    first, second = invite(owner), invite(owner)
    assert guest.ask("POST", ACCEPT, {"token": first}).status == 404
    third = invite(owner, role="viewer", expires_in_hours=1)
    world.clock.advance(minutes=14)
    guest_later = again(guest, "")
    assert guest_later.ask("POST", ACCEPT, {"token": second}).status == 404
    world.clock.advance(minutes=46)
    assert again(guest, "").ask("POST", ACCEPT, {"token": third}).status == 404


def test_two_that_accept_at_once_make_one_membership() -> None:
    """The second finds it used: between its reading and its writing the first was faster."""
    world, owner = owned()
    secret, guest = invite(owner), join(world, None, GUEST)

    def meanwhile() -> None:
        if any("INSERT INTO memberships" in sql for sql, _ in world.binding.statements[-5:]):
            world.binding.on_batch = lambda: None
            world.binding.connection.execute("UPDATE invitations SET accepted_at = '2026-05-04T12:30:00.000000Z'")

    world.binding.on_batch = meanwhile
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 404
    assert guest.ask("GET", "/api/v1/orgs").data == []


def test_an_invitation_to_less_takes_nothing_away() -> None:
    """Somebody who has become an owner meanwhile stays one."""
    world, owner = owned()
    secret = invite(owner, role="viewer")
    second = join(world, "owner", GUEST)
    assert second.ask("POST", ACCEPT, {"token": secret}).status == 200
    assert second.member()["role"] == "owner"


def test_a_member_is_not_invited() -> None:
    world, owner = owned()
    join(world, "viewer", GUEST)
    refused = owner.ask("POST", "invitations", {"email": GUEST, "role": "admin"})
    assert (refused.status, refused.error["code"]) == (409, "already_member")


def test_an_invitation_to_a_custom_role() -> None:
    """And nobody invites to more than it has."""
    world, owner = owned()
    role = owner.ask("POST", "roles", {"name": "Auditor", "permissions": ["audit:read", "orgs:write"]}).data["id"]
    secret = invite(owner, custom_role_id=role)
    guest = join(world, None, GUEST)
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 200
    assert owner.member(guest)["custom_role_id"] == role
    refused = join(world, "admin").ask("POST", "invitations", {"email": "x@example.com", "custom_role_id": role})
    assert refused.status == 403


def test_a_mail_that_cannot_be_sent_is_told() -> None:
    """Trying again is all that there is to do."""
    world, owner = owned()
    world.people.mailer.failing = True
    assert owner.ask("POST", "invitations", {"email": GUEST, "role": "viewer"}).status == 503
    world.people.mailer.failing = False
    secret = invite(owner)
    assert join(world, None, GUEST).ask("POST", ACCEPT, {"token": secret}).status == 200


def test_so_many_invitations_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is sent again is not one more."""
    world, owner = owned()
    monkeypatch.setattr(invitation_store, "INVITATIONS", replace(invitation_store.INVITATIONS, most=1))
    invite(owner)
    invite(owner)
    refused = owner.ask("POST", "invitations", {"email": "x@example.com", "role": "viewer"})
    assert (refused.status, refused.error["code"]) == (409, "too_many_invitations")
    assert len(world.people.mailer.sent) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nobody", "role": "viewer"},
        {"email": GUEST},
        {"email": GUEST, "role": "viewer", "expires_in_hours": 0},
        {"email": GUEST, "role": "viewer", "expires_in_hours": 721},
        {"email": GUEST, "role": "viewer", "expires_in_hours": "1"},
    ],
)
def test_what_is_no_invitation_is_refused(body: dict[str, object]) -> None:
    _, owner = owned()
    assert owner.ask("POST", "invitations", body).status == 400


def test_signing_up_with_an_invitation_joins() -> None:
    """The token proves the address, so nothing else is asked of whoever has it."""
    world, owner = owned()
    world.parts = replace(world.parts, invitations=invitation_service)
    secret = invite(owner)
    form = {"email": GUEST, "password": "nine lives for cats", "name": "Guest", "invitation": secret}
    answer = world.ask("POST", "/api/v1/users", form, key=None)
    assert answer.status in (201, 202), answer.body
    assert GUEST in [who["email"] for who in owner.ask("GET", "members").data]
    wrong = world.ask("POST", "/api/v1/users", form | {"email": "x@example.com"}, key=None)
    assert (wrong.status, wrong.error["code"]) == (422, "invalid_invitation")


def test_what_looks_like_no_token_costs_no_look_up() -> None:
    world, _ = owned()
    queries = len(world.binding.statements)
    assert run(invitation_service.find(world.parts, "nonsense", GUEST)) is None
    assert len(world.binding.statements) == queries


def test_nobody_undoes_what_gives_more_than_it_has() -> None:
    """An admin takes back no invitation to be an owner: not by name, and not by inviting the same address to less."""
    world, owner = owned()
    admin = join(world, "admin")
    secret = invite(owner, role="owner")
    invited = owner.ask("GET", "invitations").data[0]["id"]
    assert admin.ask("DELETE", f"invitations/{invited}").status == 403
    assert admin.ask("POST", "invitations", {"email": GUEST, "role": "viewer"}).status == 403
    lesser = invite(admin, "other@example.com", role="viewer")
    [own] = [each["id"] for each in admin.ask("GET", "invitations").data if each["email"] != GUEST]
    assert admin.ask("DELETE", f"invitations/{own}").status == 204
    assert join(world, None, "other@example.com").ask("POST", ACCEPT, {"token": lesser}).status == 404
    assert join(world, None, GUEST).ask("POST", ACCEPT, {"token": secret}).status == 200


def test_an_invitation_that_came_meanwhile_does_not_give_way() -> None:
    """An owner's, between an admin's look and its writing."""
    world, owner = owned()
    admin, made = join(world, "admin"), invite(owner, "else@example.com", role="owner")

    def meanwhile() -> None:
        if any("INSERT INTO invitations" in sql for sql, _ in world.binding.statements[-6:]):
            world.binding.on_batch = lambda: None
            world.binding.connection.execute("UPDATE invitations SET email = ?", (GUEST,))

    world.binding.statements.clear()
    world.binding.on_batch = meanwhile
    refused = admin.ask("POST", "invitations", {"email": GUEST, "role": "viewer"})
    assert (refused.status, refused.error["code"]) == (409, "already_invited")
    assert join(world, None, GUEST).ask("POST", ACCEPT, {"token": made}).status == 200


@pytest.mark.parametrize("how", ["removed", "left", "deleted", "demoted", "lessened"])
def test_what_somebody_has_sent_ends_with_what_it_may(how: str) -> None:
    """Who is removed comes not back through a friend; what a key has sent stays the organisation's."""
    world, owner = owned()
    role = owner.ask("POST", "roles", {"name": "Host", "permissions": ["invitations:write", "audit:read"]}).data["id"]
    host = join(world, "admin", "host@example.com")
    if how == "lessened":
        assert owner.ask("PATCH", f"members/{host.id}", {"custom_role_id": role}).status == 200
        host = again(host, world.org_id)
    to_role = {"custom_role_id": role} if how == "lessened" else {"role": "admin"}
    secret, guest = invite(host, **to_role), join(world, None, GUEST)
    if how == "removed":
        assert owner.ask("DELETE", f"members/{host.id}").status == 204
    elif how == "left":
        assert host.ask("POST", "/api/v1/orgs/current/actions/leave").status == 204
    elif how == "deleted":
        run(deletion._leave(world.parts, world.org_id, host.user))
    elif how == "demoted":
        assert owner.ask("PATCH", f"members/{host.id}", {"role": "developer"}).status == 200
    else:
        assert owner.ask("PATCH", f"roles/{role}", {"permissions": ["audit:read"]}).status == 200
    assert guest.ask("POST", ACCEPT, {"token": secret}).status == 404
    [listed] = owner.ask("GET", "invitations").data
    assert (listed["revoked_at"] is None) == (how in ("demoted", "lessened"))


def test_who_is_removed_does_not_come_back_by_an_invitation_to_itself() -> None:
    """One that was sent to an address that became its own."""
    world, owner = owned()
    secret = invite(owner)
    viewer = join(world, "viewer", GUEST)
    assert owner.ask("DELETE", f"members/{viewer.id}").status == 204
    assert again(viewer, "").ask("POST", ACCEPT, {"token": secret}).status == 404


def test_a_link_is_had_once_where_no_mail_is_sent() -> None:
    """Who may invite hands it over. No answer tells it again, and its hash is what is kept."""
    world, owner = owned()
    world.parts = replace(
        world.parts, config=replace(world.parts.config, account=AccountConfig(public_url="https://hg.example"))
    )
    answer = owner.ask("POST", "invitations", {"email": GUEST, "role": "developer", "send": False})
    secret = answer.data["token"]
    assert (answer.status, answer.data["mailed"]) == (201, False)
    assert answer.data["link"] == f"https://hg.example/accept-invitation#token={secret}"
    assert (world.people.mailer.sent, answer.headers["cache-control"]) == ([], "no-store")
    assert secret not in str(owner.ask("GET", "invitations").body)
    assert secret not in "\n".join(world.binding.connection.iterdump())
    assert join(world, "developer").ask("POST", "invitations", {"email": "x@a.example", "role": "viewer"}).status == 403
    assert join(world, None, GUEST).ask("POST", ACCEPT, {"token": secret}).data == {"org_id": world.org_id}


@pytest.mark.parametrize("mail", [MailKind.NONE, MailKind.HTTP])
def test_a_link_that_was_handed_over_proves_no_address(mail: MailKind) -> None:
    """Else whoever invites could make accounts with others' addresses, and wait in them for the owner to come.

    Without mail its word must do to sign in, and still no other way in is connected by it.
    """
    world, owner = owned()
    config = replace(world.parts.config, mail=MailConfig(mail))
    world.parts = replace(world.parts, invitations=invitation_service, config=config)
    handed = owner.ask("POST", "invitations", {"email": GUEST, "role": "developer", "send": False}).data["token"]
    form = {"email": GUEST, "password": "nine lives for cats", "name": "Guest", "invitation": handed}
    assert world.ask("POST", "/api/v1/users", form, key=None).status == 202
    [user] = world.binding.rows("SELECT * FROM users WHERE email = ?", GUEST)
    assert user["email_verified_at"] is None
    member = GUEST in [who["email"] for who in owner.ask("GET", "members").data]
    grant = {"grant_type": "password", "email": GUEST, "password": "nine lives for cats"}
    signed_in = world.ask("POST", "/api/v1/tokens", grant, key=None)
    if mail is MailKind.NONE:
        assert (member, signed_in.status, world.people.mailer.sent) == (True, 200, [])
    else:
        assert (member, signed_in.error["code"]) == (False, "email_not_verified")
        assert world.people.mailer.subjects() == [(GUEST, "Confirm your address")]


def test_invitations_are_counted() -> None:
    """By address, by organisation and by network; who is refused has changed nothing. A link without mail is not."""
    world, owner = owned()
    invite(owner)
    assert world.people.guard.failures == [("inviting", world.org_id, None), ("invitation", GUEST, None)]
    for closed in world.people.guard.failures[:]:
        world.people.guard.closed = {closed[:2]}
        assert owner.ask("POST", "invitations", {"email": GUEST, "role": "viewer"}).status == 429
        assert owner.ask("POST", "invitations", {"email": GUEST, "role": "viewer", "send": False}).status == 201
    assert len(world.people.mailer.sent) == 1
