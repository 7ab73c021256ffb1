"""Access and refresh tokens, through the whole application: how apps sign in, stay so, and stop."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import jwt as pyjwt
import pytest

from lib.defence.shield import BURST
from lib.http.context import Context
from lib.kernel.errors import HeadgateError
from lib.secrets.opaque import new_secret
from lib.sign_in import housekeeping
from lib.tokens import grants, jwt
from lib.tokens.jwt import base64url_encode
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.cpython_signatures import CPythonSignatures
from tests.unit.sign_in.signed_in import AGENT, EMAIL, OWN, PASSWORD, Browser, actions, new_user
from tests.unit.store.seeds import seed_membership, seed_org
from tests.unit.world import Answer, World

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
NO_TIMES = (1e20, 10**400, -(10**400), -1, 253_402_300_800, "9999999999", True, [1])
CONTEXT = Context("r", "192.0.2.7")


@dataclass
class App:
    """An app that has signed in."""

    world: World
    access: str
    refresh: str

    @classmethod
    def of(cls, world: World, answer: Answer) -> App:
        assert answer.status == 200, answer.body
        return cls(world, answer.data["access_token"], answer.data["refresh_token"])

    def ask(self, method: str, target: str, body: object = None) -> Answer:
        return self.world.ask(method, target, body, key=self.access)

    def chat(self) -> int:
        return self.ask("POST", "/v1/chat/completions", CHAT).status

    def listing(self) -> int:
        return self.ask("GET", "/api/v1/keys").status


def sign_in(world: World, **more: Any) -> Answer:
    body = {"grant_type": "password", "email": EMAIL, "password": PASSWORD, **more}
    return world.ask("POST", "/api/v1/tokens", body, key=None, headers=AGENT)


def refreshed(world: World, token: str, **more: Any) -> Answer:
    body = {"grant_type": "refresh_token", "refresh_token": token, **more}
    return world.ask("POST", "/api/v1/tokens", body, key=None, headers=AGENT)


def new_app(role: str | None = "owner", **config: Any) -> tuple[World, App]:
    world, _ = new_user(role, **config)
    return world, App.of(world, sign_in(world))


def key_set(world: World) -> dict[str, Any]:
    answer = world.ask("GET", "/.well-known/jwks.json", key=None)
    assert answer.status == 200
    return cast("dict[str, Any]", answer.body)


def test_the_answer_of_a_sign_in() -> None:
    """What an app needs, and nothing that a cache may keep."""
    world, _ = new_user("viewer")
    answer = sign_in(world)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    data = answer.data
    assert (data["token_type"], data["expires_in"], data["org_id"]) == ("Bearer", 900, world.org_id)
    assert data["refresh_token"].startswith("hgr_")
    assert "keys:read" in data["scope"].split()
    assert "keys:write" not in data["scope"].split()
    stored = "".join(map(str, world.binding.connection.execute("SELECT * FROM refresh_tokens").fetchall()))
    assert data["refresh_token"] not in stored
    assert actions(world) == [("user.signed_in", "ok"), ("token.granted", "ok")]


def test_others_can_verify_an_access_token() -> None:
    """With the published keys and any library: issuer, audience, subject, organisation, scope, id, times."""
    world, app = new_app("viewer")
    keys = key_set(world)
    kid = pyjwt.get_unverified_header(app.access)["kid"]
    [jwk] = [key for key in keys["keys"] if key["kid"] == kid]
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}, "only its public half"
    claims = pyjwt.decode(
        app.access,
        pyjwt.PyJWK(jwk),
        algorithms=["ES256"],
        audience="headgate",
        issuer=OWN,
        options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "jti", "sub"]},
    )
    [[user_id]] = world.binding.connection.execute("SELECT id FROM users")
    assert (claims["sub"], claims["org"]) == (user_id, world.org_id)
    assert "usage:read" in claims["scope"].split()
    assert (claims["iat"], claims["exp"]) == (int(NOW.timestamp()), int(NOW.timestamp()) + 900)
    assert pyjwt.get_unverified_header(app.access)["typ"] == "at+jwt"


def test_an_app_may_what_its_person_may() -> None:
    """On both APIs, and its calls are counted on the member's key."""
    world, app = new_app("developer")
    answer = app.ask("GET", "/api/v1/keys")
    assert answer.status == 200
    assert str(answer.facts["principal"]).startswith("user:")
    assert app.ask("DELETE", "/api/v1/models/x").status == 403
    assert app.chat() == 200
    [record] = world.gates.opened
    [[key_id]] = world.binding.connection.execute("SELECT id FROM api_keys WHERE kind = 'person'")
    assert record.key_id == key_id


def test_an_app_needs_no_csrf_token() -> None:
    """No browser sends its token by itself."""
    _, app = new_app()
    assert app.ask("POST", "/api/v1/keys", {"name": "x"}).status == 201


def test_a_token_is_verified_once_in_an_isolate_on_the_ai_api() -> None:
    """And the store is not asked again while the gate calls it fresh; on the management API it is, once."""
    world, app = new_app()
    signatures = cast("CPythonSignatures", world.parts.tokens.signatures)
    assert app.chat() == 200  # the policy's version gets known
    signatures.verified = 0
    assert app.ask("POST", "/v1/chat/completions", CHAT).facts["db_queries"] == 0
    assert signatures.verified == 0
    assert app.ask("GET", "/api/v1/keys").facts["db_queries"] == 2
    assert signatures.verified == 1


def test_an_access_token_ends() -> None:
    """After fifteen minutes, cached or not."""
    world, app = new_app()
    assert (app.chat(), app.listing()) == (200, 200)
    world.clock.advance(minutes=14, seconds=59)
    assert (app.chat(), app.listing()) == (200, 200)
    world.clock.advance(seconds=1)
    assert (app.chat(), app.listing()) == (401, 401)


def forged(app: App, **changes: Any) -> str:
    """A token of other claims under the old signature."""
    head, payload, signature = app.access.split(".")
    claims = pyjwt.decode(app.access, options={"verify_signature": False})
    del payload
    return ".".join([head, base64url_encode(json.dumps(claims | changes).encode()), signature])


def test_claims_that_somebody_changed() -> None:
    """Refused by the signature; as a wrong key is, in the shape of each API."""
    world, app = new_app("viewer")
    other = run(seed_org(world.parts.database, "Other"))
    for text in (forged(app, scope="keys:write"), forged(app, org=other), forged(app, exp=9_999_999_999)):
        answer = world.ask("GET", "/api/v1/keys", key=text)
        assert (answer.status, answer.error["code"]) == (401, "invalid_token")
        assert world.ask("POST", "/v1/chat/completions", CHAT, key=text).status == 401


@pytest.mark.parametrize(
    "text", ["a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA"]
)
def test_what_cannot_be_a_token_costs_nothing(text: str) -> None:
    """It is refused before the body is read or the store asked."""
    world, _ = new_app()
    world.binding.statements.clear()
    assert world.ask("POST", "/api/v1/keys", b"no json", key=text).status == 401
    assert world.binding.statements == []


def test_an_invented_key_id_is_no_way_to_the_store() -> None:
    """An isolate that does not know the key of a token looks for it at most every ten seconds."""
    world, app = new_app()
    head = base64url_encode(json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": "x"}).encode())
    texts = [f"{head}.{part}.AAAA" for part in (app.access.split(".")[1], forged(app, x=1).split(".")[1])]
    world.clock.advance(seconds=11)
    world.binding.statements.clear()
    for text in texts:
        assert world.ask("GET", "/api/v1/keys", key=text).status == 401
    assert len([sql for sql, _ in world.binding.statements if "signing_keys" in sql]) == 1


def test_another_deployments_token_is_none_of_ours() -> None:
    """By its issuer, even with our key."""
    world, app = new_app()
    elsewhere, _ = new_user(session=world.parts.config.session.__class__(issuer="https://other.example"))
    assert elsewhere.ask("GET", "/api/v1/keys", key=app.access).status == 401


@pytest.mark.parametrize(
    ("kind", "changes", "status"),
    [
        ("at+jwt", {}, 200),
        ("JWT", {}, 401),
        ("logout+jwt", {}, 401),
        ("at+jwt", {"aud": "another"}, 401),
        ("at+jwt", {"iss": "https://other.example"}, 401),
        *[("at+jwt", {name: time}, 401) for name in ("exp", "iat", "nbf") for time in NO_TIMES],
    ],
)
def test_what_our_key_signs_for_something_else_is_no_access_token(
    kind: str, changes: dict[str, Any], status: int
) -> None:
    """RFC 8725, 3.11 and 3.12: by its type, audience, issuer and times, although the signature is good."""
    world, app = new_app()
    claims = pyjwt.decode(app.access, options={"verify_signature": False})
    signing = run(world.parts.tokens.signing(world.parts))
    text = run(jwt.issue(CPythonSignatures(), signing.key, signing.private_jwk, kind, claims | changes))
    assert world.ask("GET", "/api/v1/keys", key=text).status == status


def test_a_token_gives_no_more_than_the_role_does_now() -> None:
    """Who was made a viewer is one at the next request; who was made more needs a new token."""
    world, app = new_app("owner")
    connection = world.binding.connection
    connection.execute("UPDATE memberships SET role = 'viewer'")
    assert app.ask("POST", "/api/v1/keys", {"name": "x"}).status == 403
    viewer = App.of(world, sign_in(world))
    connection.execute("UPDATE memberships SET role = 'owner'")
    assert viewer.ask("POST", "/api/v1/keys", {"name": "x"}).status == 403
    assert App.of(world, refreshed(world, viewer.refresh)).ask("POST", "/api/v1/keys", {"name": "x"}).status == 201


def test_a_refresh_token_works_once() -> None:
    """It gives the next pair; the old access token lives on until its end."""
    world, app = new_app()
    following = App.of(world, refreshed(world, app.refresh))
    assert following.refresh != app.refresh
    assert following.access != app.access
    assert (following.listing(), app.listing()) == (200, 200)
    world.clock.advance(minutes=16)
    assert App.of(world, refreshed(world, following.refresh)).listing() == 200


def test_a_refresh_token_that_comes_twice_ends_its_family() -> None:
    """The thief's tokens and the owner's, at once, on both APIs; and the person's log tells it."""
    world, app = new_app()
    other = App.of(world, sign_in(world))
    thief = App.of(world, refreshed(world, app.refresh))
    assert (thief.chat(), app.chat(), other.chat()) == (200, 200, 200)
    answer = refreshed(world, app.refresh)
    assert (answer.status, answer.error["code"]) == (401, "invalid_refresh_token")
    assert refreshed(world, thief.refresh).status == 401
    assert (thief.listing(), app.listing(), thief.chat(), app.chat()) == (401, 401, 401, 401)
    assert actions(world).count(("token.reused", "denied")) == 1
    assert (other.listing(), other.chat(), refreshed(world, other.refresh).status) == (200, 200, 200)


def test_two_uses_at_once_are_a_second_use() -> None:
    """One of them wins for a moment, and then nobody has anything."""
    world, app = new_app()

    async def race() -> list[object]:
        uses = (grants.refresh(world.parts, app.refresh, None, CONTEXT) for _ in range(2))
        return list(await asyncio.gather(*uses, return_exceptions=True))

    results = run(race())
    assert sum(isinstance(result, HeadgateError) for result in results) == 1
    [won] = [result for result in results if isinstance(result, grants.Grant)]
    assert refreshed(world, won.refresh_token).status == 401
    assert world.ask("GET", "/api/v1/keys", key=won.access_token).status == 401


def looks(world: World) -> int:
    return len([sql for sql, _ in world.binding.statements if "refresh_tokens WHERE secret_hash" in sql])


@pytest.mark.parametrize("token", ["x", "hgr_" + "a" * 38, new_secret("hg_")], ids=["text", "checksum", "key"])
def test_what_cannot_be_a_refresh_token_costs_nothing(token: str) -> None:
    """401 without a reason, and no look at the store."""
    world, _ = new_app()
    assert {refreshed(world, token).status for _ in range(2 * BURST)} == {401}
    assert looks(world) == 0


def test_a_flood_of_refresh_tokens_that_nobody_got() -> None:
    """It costs a bounded number of reads, as one of keys does. From another network apps go on."""
    world, app = new_app()
    answers = Counter(refreshed(world, new_secret("hgr_")).status for _ in range(100))
    assert answers == {401: BURST, 429: 100 - BURST}
    assert looks(world) == BURST
    body = {"grant_type": "refresh_token", "refresh_token": app.refresh}
    elsewhere = AGENT | {"cf-connecting-ip": "198.51.100.9"}
    assert world.ask("POST", "/api/v1/tokens", body, key=None, headers=elsewhere).status == 200


def test_wrong_refresh_tokens_are_counted_by_network() -> None:
    """By the guard, which all isolates share. A right one does not pass it, so nobody's guesses keep an app out."""
    world, app = new_app()
    app = App.of(world, refreshed(world, app.refresh))
    assert world.people.guard.failures == []
    assert refreshed(world, new_secret("hgr_")).status == 401
    assert world.people.guard.failures == [("refresh", "", AGENT["cf-connecting-ip"])]
    world.people.guard.closed.add(("refresh", ""))
    assert refreshed(world, new_secret("hgr_")).status == 429
    assert refreshed(world, app.refresh).status == 200


def test_many_apps_of_one_network_refresh_at_the_same_moment() -> None:
    """None of them waits for the others: a right token counts for nothing."""
    world, app = new_app()
    for _ in range(3 * BURST):
        app = App.of(world, refreshed(world, app.refresh))


def test_a_family_ends_for_good() -> None:
    """Thirty days after its sign-in, however often it was refreshed."""
    world, app = new_app()
    for _ in range(29):
        world.clock.advance(days=1)
        app = App.of(world, refreshed(world, app.refresh))
    world.clock.advance(days=1)
    assert refreshed(world, app.refresh).status == 401
    world.clock.advance(days=8)
    assert run(housekeeping.purge(world.parts))["tokens"] == 30


def test_an_app_that_signs_out() -> None:
    """Its access token and its family end at once, on both APIs; others stay."""
    world, app = new_app()
    other = App.of(world, sign_in(world))
    following = App.of(world, refreshed(world, app.refresh))
    assert (app.chat(), following.chat(), other.chat()) == (200, 200, 200)
    assert app.ask("DELETE", "/api/v1/tokens/current").status == 204
    assert (app.listing(), following.listing(), other.listing()) == (401, 401, 200)
    assert (app.chat(), following.chat(), other.chat()) == (401, 401, 200)
    assert refreshed(world, following.refresh).status == 401
    [[revoked]] = world.binding.connection.execute("SELECT count(*) FROM revoked_tokens")
    assert revoked == 1


def test_only_an_app_has_a_token_to_end() -> None:
    """A browser has a session, and a key is no person."""
    world, user = new_user()
    assert Browser.sign_in(world, user.id).ask("DELETE", "/api/v1/tokens/current").status == 404
    assert world.ask("DELETE", "/api/v1/tokens/current").status == 403


def test_signing_out_everywhere_reaches_apps() -> None:
    """Their access tokens at once, also those that an isolate has cached for the AI API, and their refresh tokens."""
    world, app = new_app()
    assert (app.chat(), app.listing()) == (200, 200)
    world.clock.advance(milliseconds=1)
    assert app.ask("DELETE", "/api/v1/sessions/all").error["code"] == "wrong_password"
    assert app.ask("DELETE", "/api/v1/sessions/all", {"password": PASSWORD}).status == 204
    assert (app.chat(), app.listing(), refreshed(world, app.refresh).status) == (401, 401, 401)
    again = App.of(world, sign_in(world))
    assert (again.chat(), again.listing()) == (200, 200)


def test_a_new_password_ends_what_was_begun_with_the_old_one() -> None:
    """Browsers and apps, at once, also those that an isolate has cached for the AI API."""
    world, user = new_user()
    browser, app = Browser.sign_in(world, user.id), App.of(world, sign_in(world))
    assert (app.chat(), app.listing()) == (200, 200)
    world.clock.advance(milliseconds=1)
    body = {"current_password": PASSWORD, "new_password": "another horse, another battery"}
    assert browser.ask("POST", "/api/v1/me/actions/change_password", body).status < 300
    assert browser.ask("GET", "/api/v1/sessions").status == 401
    assert (app.chat(), app.listing(), refreshed(world, app.refresh).status) == (401, 401, 401)


def test_a_token_made_before_a_sign_out_is_dead_although_its_family_lives() -> None:
    """Should a refresh be under way in that very moment: what counts is when the token was made."""
    world, app = new_app()
    world.clock.advance(seconds=1)
    world.binding.connection.execute(
        "UPDATE users SET signed_out_at = ?", (world.clock.now().isoformat().replace("+00:00", "Z"),)
    )
    assert app.listing() == 401
    assert refreshed(world, app.refresh).status == 401


def test_an_access_token_can_be_for_another_organisation() -> None:
    """Where the person is a member; it is chosen when tokens are got."""
    world, user = new_user()
    second = run(seed_org(world.parts.database, "Second"))
    assert sign_in(world, org_id=second).status == 404
    run(seed_membership(world.parts.database, second, user.id, "viewer"))
    assert sign_in(world, org_id=second).data["org_id"] == second
    app = App.of(world, sign_in(world))
    switched = refreshed(world, app.refresh, org_id=second)
    assert switched.data["org_id"] == second
    assert App.of(world, switched).ask("POST", "/api/v1/keys", {"name": "x"}).status == 403
    kept = refreshed(world, switched.data["refresh_token"])
    assert kept.data["org_id"] == second
    world.binding.connection.execute("DELETE FROM memberships WHERE org_id = ?", (second,))
    assert App.of(world, kept).listing() == 403
    assert refreshed(world, kept.data["refresh_token"]).data["org_id"] == world.org_id


def test_a_person_without_an_organisation() -> None:
    """Gets tokens that open what is its own, and nothing else: it has left the last one since it signed in."""
    world, app = new_app()
    world.binding.connection.execute("DELETE FROM memberships")
    answer = refreshed(world, app.refresh)
    assert (answer.data["org_id"], answer.data["scope"]) == (None, "")
    for left in (app, App.of(world, answer)):
        assert left.ask("GET", "/api/v1/sessions").status == 200
        assert (left.listing(), left.chat()) == (403, 403)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"grant_type": "client_credentials"},
        {"grant_type": "password", "email": EMAIL},
        {"grant_type": "password", "email": EMAIL, "password": "x", "refresh_token": "y"},
        {"grant_type": "refresh_token"},
        {"grant_type": "refresh_token", "refresh_token": "x" * 201},
        {"grant_type": "password", "email": EMAIL, "password": "x" * 1025},
        {"grant_type": "password", "email": EMAIL, "password": "x", "org_id": "x"},
        {"grant_type": "password", "email": EMAIL, "password": "x", "totp_code": "1"},
    ],
)
def test_a_body_that_is_wrong(body: dict[str, str]) -> None:
    """400, and a secret in it is not quoted."""
    world, _ = new_user()
    answer = world.ask("POST", "/api/v1/tokens", body, key=None)
    assert answer.status == 400
    assert "x" * 50 not in str(answer.body)


def test_a_wrong_password_gets_no_token() -> None:
    world, _ = new_user()
    answer = sign_in(world, password="wrong")
    assert (answer.status, answer.error["code"]) == (401, "invalid_credentials")
