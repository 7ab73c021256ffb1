"""Making an account: who may, what becomes of it, and that nobody learns who has one."""

from __future__ import annotations

import pytest

from lib.config import SignUp
from lib.kernel.errors import Forbidden, Unauthorized
from lib.orgs import homes
from lib.sign_in.passwords import MOST_BYTES
from tests.unit.fakes import run
from tests.unit.sign_in.people import EMAIL, PASSWORD, FakeInvitations
from tests.unit.sign_in.signing_up import USERS, act, events, join, open_world, row, sign_in, sign_up


def test_an_account_is_made_and_its_address_confirmed() -> None:
    """By the token of the mail, once; the password is stored as a hash, and the token as one."""
    world = open_world()
    answer = sign_up(world, " Alice@Wonder.example ")
    assert (answer.status, answer.data) == (202, {"email": EMAIL})
    made = row(world)
    assert (made["name"], made["email_verified_at"]) == ("Alice", None)
    assert made["password_hash"].startswith("$argon2id$")
    assert world.people.mailer.subjects() == [(EMAIL, "Confirm your address")]
    token = world.people.mailer.token()
    assert token not in str(world.binding.rows("SELECT * FROM mail_tokens"))
    assert act(world, "verify_email", token=token).status == 204
    assert row(world)["email_verified_at"] is not None
    assert act(world, "verify_email", token=token).error["code"] == "invalid_token"
    assert events(world, made["id"]) == [("user.signed_up", "ok"), ("user.email_verified", "ok")]


def test_whoever_was_not_invited_begins_with_an_organisation() -> None:
    """As its owner, with a key that the calls are counted on and that nobody holds."""
    world = open_world()
    user_id = join(world)
    [membership] = world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user_id)
    [org] = world.binding.rows("SELECT * FROM orgs WHERE id = ?", membership["org_id"])
    [key] = world.binding.rows("SELECT * FROM api_keys WHERE user_id = ?", user_id)
    assert (membership["role"], org["name"]) == ("owner", "Alice's organisation")
    assert (key["org_id"], key["kind"], key["scopes"]) == (org["id"], "person", "[]")


def test_a_crash_before_the_organisation_is_mended_at_the_next_sign_in() -> None:
    """The account was made, its organisation was not: nobody stays without."""
    world = open_world()
    join(world)
    for table in ("memberships", "api_keys"):
        world.binding.rows(f"DELETE FROM {table} WHERE user_id IS NOT NULL")
    world.binding.rows("DELETE FROM orgs WHERE name LIKE 'Alice%'")
    user = sign_in(world)
    assert len(world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user.id)) == 1
    sign_in(world)
    assert len(world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user.id)) == 1


def test_two_at_once_make_one_organisation() -> None:
    """The one who comes second finds it made."""
    world = open_world()
    join(world)
    user = sign_in(world)
    other = world.parts.for_request()
    hidden = list(world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user.id))
    assert len(hidden) == 1
    world.binding.rows("DELETE FROM memberships WHERE user_id = ?", user.id)

    def meanwhile() -> None:
        if "INSERT INTO orgs" in str(world.binding.statements[-4:]):
            world.binding.rows(
                "INSERT OR IGNORE INTO memberships (org_id, user_id, role, created_at, updated_at)"
                " VALUES (?, ?, 'owner', '2026-05-04T12:00:00Z', '2026-05-04T12:00:00Z')", hidden[0]["org_id"], user.id,
            )  # fmt: skip

    world.binding.on_batch = meanwhile
    run(homes.ensure(other, user))
    world.binding.on_batch = lambda: None
    [membership] = world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user.id)
    assert membership["org_id"] == homes.home_id(user.id)


def test_who_has_left_its_first_organisation_gets_another() -> None:
    """The first one's id is taken for good."""
    world = open_world()
    user_id = join(world)
    world.binding.rows("DELETE FROM memberships WHERE user_id = ?", user_id)
    sign_in(world)
    [membership] = world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user_id)
    assert membership["org_id"] != homes.home_id(user_id)


def test_a_known_address_is_answered_as_a_new_one() -> None:
    """The same status, body and work: one hash, one look at the store. All else is done behind the answer."""
    world = open_world()
    join(world)
    sign_up(world, "unverified@wonder.example")
    seen = []
    for email in (EMAIL, "unverified@wonder.example", "new@wonder.example"):
        hashed, mails = world.people.hasher.hashed, len(world.people.mailer.sent)
        answer = sign_up(world, email)
        work = (world.people.hasher.hashed - hashed, len(world.people.mailer.sent) - mails, answer.facts["db_queries"])
        seen.append((answer.status, answer.data == {"email": email}, answer.headers, work))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][-1] == (1, 1, 1)


def test_a_mail_that_cannot_be_sent_tells_nothing() -> None:
    """It fails behind the answer, on the log; whoever signs up again gets another."""
    world = open_world()
    world.people.mailer.failing = True
    answer = sign_up(world)
    assert (answer.status, answer.facts["unfinished"]) == (202, "The mail can't be sent.")
    assert row(world)["email_verified_at"] is None
    world.people.mailer.failing = False
    sign_up(world)
    assert act(world, "reset_password", token=world.people.mailer.token(), password=PASSWORD).status == 204
    assert sign_in(world).email == EMAIL


def test_the_owner_of_a_known_address_is_told() -> None:
    """And nothing of the account changes."""
    world = open_world()
    join(world)
    before = row(world)
    sign_up(world, password="another good password", name="Mallory")
    assert world.people.mailer.subjects()[-1] == (EMAIL, "You have an account already")
    assert "hgm_" not in world.people.mailer.sent[-1].text
    assert row(world) == before


def test_a_stranger_cannot_prepare_an_account_for_somebody_else() -> None:
    """Pre-hijacking: the stranger's password dies when the owner signs up, and the stranger's first mail with it."""
    world = open_world()
    sign_up(world, password="the stranger's own one")
    first = world.people.mailer.token()
    sign_up(world, password=PASSWORD)
    assert world.people.mailer.sent[-1].text.count("choose the account's password") == 1
    assert act(world, "verify_email", token=first).status == 422
    token = world.people.mailer.token()
    assert act(world, "reset_password", token=token, password=PASSWORD).status == 204
    assert sign_in(world).email == EMAIL
    with pytest.raises(Unauthorized):
        sign_in(world, password="the stranger's own one")


def test_an_address_must_be_confirmed_before_signing_in() -> None:
    """403, and only to whoever knows the password."""
    world = open_world()
    sign_up(world)
    with pytest.raises(Forbidden) as refused:
        sign_in(world)
    assert refused.value.code == "email_not_verified"


@pytest.mark.parametrize(
    ("account", "email", "code"),
    [
        ({"sign_up": SignUp.INVITATION}, EMAIL, "invitation_required"),
        ({"sign_up": SignUp.DOMAIN, "sign_up_domains": frozenset({"acme.example"})}, EMAIL, "domain_not_allowed"),
        (
            {"sign_up": SignUp.DOMAIN, "sign_up_domains": frozenset({"acme.example"})},
            "eve@sub.acme.example",
            "domain_not_allowed",
        ),
        (
            {"sign_up": SignUp.DOMAIN, "sign_up_domains": frozenset({"acme.example"})},
            "acme.example@evil.example",
            "domain_not_allowed",
        ),
    ],
)
def test_the_deployment_says_who_may_sign_up(account: dict[str, object], email: str, code: str) -> None:
    """Everybody, who was invited, or who has an address of a domain: that very one."""
    world = open_world(**account)
    answer = sign_up(world, email)
    assert (answer.status, answer.error["code"]) == (403, code)
    assert not world.binding.rows("SELECT * FROM users")
    assert not world.people.mailer.sent


def test_an_allowed_domain_may_sign_up() -> None:
    world = open_world(sign_up=SignUp.DOMAIN, sign_up_domains=frozenset({"wonder.example"}))
    assert sign_up(world).status == 202


def test_an_invitation_lets_in_and_proves_the_address() -> None:
    """It was sent there. The person becomes a member where it was invited to, and gets no organisation of its own."""
    world = open_world(sign_up=SignUp.INVITATION)
    assert sign_up(world, invitation="invited").status == 202
    made = row(world)
    assert made["email_verified_at"] is not None
    invitations = world.parts.invitations
    assert isinstance(invitations, FakeInvitations)
    assert invitations.accepted == [made["id"]]
    assert not world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", made["id"])
    assert not world.people.mailer.sent


@pytest.mark.parametrize(("email", "invitation"), [(EMAIL, "wrong"), ("bob@wonder.example", "invited")])
def test_an_invitation_is_for_one_address(email: str, invitation: str) -> None:
    """422 for another's, also where everybody may sign up."""
    answer = sign_up(open_world(), email, invitation=invitation)
    assert (answer.status, answer.error["code"]) == (422, "invalid_invitation")


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "no address"},
        {"email": "@wonder.example"},
        {"email": "alice@"},
        {"email": "älice@wonder.example"},
        {"email": "alice@wonder..example"},
        {"email": "alice@wonder.example\r\nBcc: all@wonder.example"},
        {"email": f"{'a' * 65}@wonder.example"},
        {"email": f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 60}"},
        {"password": ""},
        {"password": "x" * 1025},
        {"password": 12},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"role": "owner"},
        {"email_verified_at": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_malformed_form_is_refused(fields: dict[str, object]) -> None:
    """400, and nothing is made or sent."""
    world = open_world()
    body = {"email": EMAIL, "password": PASSWORD, "name": "Alice", **fields}
    answer = world.ask("POST", "/api/v1/users", body, key=None)
    assert answer.status == 400
    assert PASSWORD not in str(answer.body)
    assert not world.binding.rows("SELECT * FROM users")


@pytest.mark.parametrize("longest", ["x1" * (MOST_BYTES // 2), "é" * (MOST_BYTES // 2)])
def test_a_long_password_is_taken_as_it_is(longest: str) -> None:
    """ASVS V6.2.8: to its last byte. What is longer is refused with a reason, when chosen and when shown."""
    world = open_world()
    user_id = join(world, EMAIL, longest)
    assert sign_in(world, password=longest).id == user_id
    with pytest.raises(Unauthorized):
        sign_in(world, password=longest[:-1])
    too_long = {"email": EMAIL, "password": f"{longest}!"}
    for path, fields in ((USERS, {"name": "Al"}), ("/api/v1/sessions", {})):
        answer = world.ask("POST", path, too_long | fields, key=None)
        assert (answer.status, answer.error["details"][0]["field"]) == (400, "password")
        assert f"at most {MOST_BYTES} bytes" in answer.error["message"]


def test_a_weak_password_is_refused() -> None:
    """422, the same for every address."""
    world = open_world()
    assert sign_up(world, password="qwertyqwerty").error["code"] == "weak_password"
    assert not world.binding.rows("SELECT * FROM users")


def test_signing_up_is_bounded() -> None:
    """Each time counts, since each sends a mail to somebody who may not have asked for it."""
    world = open_world()
    sign_up(world)
    assert world.people.guard.failures == [("sign_up", EMAIL, None)]
    world.people.guard.closed.add(("sign_up", EMAIL))
    answer = sign_up(world)
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert len(world.people.mailer.sent) == 1


def test_a_token_runs_out() -> None:
    """After a day."""
    world = open_world()
    sign_up(world)
    world.clock.advance(hours=24)
    assert act(world, "verify_email", token=world.people.mailer.token()).error["code"] == "invalid_token"


def test_a_token_is_good_for_one_purpose() -> None:
    """That of a new account sets no password."""
    world = open_world()
    sign_up(world)
    answer = act(world, "reset_password", token=world.people.mailer.token(), password=PASSWORD)
    assert answer.error["code"] == "invalid_token"
