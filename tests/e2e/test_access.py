"""Every route tried by every role, a key, another organisation's key and people, and nobody, through HTTP.

`tests/unit/routes/test_access.py` tries the same with all in its place each time, and sees that what is refused changes
nothing. Here people are invited, sign up and sign in as anybody does.
"""

from __future__ import annotations

import base64
import math
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from lib.access.principal import ALL_SCOPES
from lib.sign_in import totp
from lib.web.route import Route
from tests.access_cases import (
    BUSINESS,
    OPERATORS,
    PASSWORD,
    PROTECTED,
    ROLES,
    Json,
    Things,
    allowed,
    make_things,
    name_of,
)
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.poll import until
from tools.stack import Stack

NEW_PASSWORD = "ten lives for a cat"
SIGNED_IN_SECONDS = 600.0  # an access token ends after 900
# After these the caller signs in anew: they end what it has signed in with. In this order, and behind all others.
ENDINGS = [
    "DELETE /api/v1/tokens/current",
    "DELETE /api/v1/sessions/{id}",
    "POST /api/v1/me/actions/change_password",
    "POST /api/v1/orgs/{id}/actions/leave",
    "DELETE /api/v1/me",
]
# Codes were asked for a moment before, and the one that is sent is wrong.
BEGUN = {"POST /api/v1/me/actions/confirm_totp": 422}


@dataclass
class Person:
    """Somebody with an account."""

    headgate: Headgate
    email: str
    password: str = PASSWORD

    def sign_in(self, org_id: str | None = None) -> httpx.Response:
        body = {"grant_type": "password", "email": self.email, "password": self.password}
        wanted = {"org_id": org_id} if org_id else {}
        return self.headgate.http.post(f"{self.headgate.base_url}/api/v1/tokens", json=body | wanted)

    def client(self, org_id: str | None = None) -> Headgate:
        """Return the Headgate as this person, once it can sign in: an account is made behind the answer."""
        found: list[str] = []

        def signed_in() -> bool:
            answer = self.sign_in(org_id)
            if answer.status_code == 200:
                found.append(answer.json()["data"]["access_token"])
            return bool(found)

        until(signed_in, f"{self.email} signs in")
        return self.headgate.as_key(found[0])

    def browser(self, org_id: str) -> Headgate:
        """Return the Headgate as this person's browser calls it, with the cookie of a session."""
        body = {"email": self.email, "password": self.password, "org_id": org_id}
        answer = self.headgate.http.post(f"{self.headgate.base_url}/api/v1/sessions", json=body)
        assert answer.status_code == 201, answer.text
        self.headgate.http.cookies.clear()  # httpx would show it for everybody
        cookie, csrf = answer.headers["set-cookie"].partition(";")[0], answer.json()["data"]["csrf_token"]
        return InBrowser(self.headgate.http, self.headgate.base_url, "", cookie, csrf)


@dataclass(frozen=True)
class InBrowser(Headgate):
    """Calls Headgate as a page of its own does: with a cookie in a key's place."""

    cookie: str
    csrf: str

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        own = {"cookie": self.cookie, "x-csrf-token": self.csrf, "origin": self.base_url, **(headers or {})}
        return self.http.request(method, self.base_url + path, headers=own, **more)


@dataclass
class Ground:
    """A new organisation, its owner, and how people come into it."""

    person: Person
    org_id: str
    signed_in_at: float = -math.inf

    @property
    def owner(self) -> Headgate:
        """The owner's client. Its token ends before the tests do where the store is far away."""
        if time.monotonic() - self.signed_in_at >= SIGNED_IN_SECONDS:
            self._client, self.signed_in_at = self.person.client(self.org_id), time.monotonic()
        return self._client

    def invite(self, role: str) -> Person:
        """Have somebody invited, sign up by the mail, and so become a member."""
        email = f"{letters(12)}@access.example"
        self.invitation(email, role)
        person = Person(self.owner, email)
        form = {"email": email, "password": PASSWORD, "name": role, "invitation": self.token(person)}
        answer = self.owner.http.post(f"{self.owner.base_url}/api/v1/users", json=form)
        assert answer.status_code == 202, answer.text
        return person

    def token(self, person: Person) -> str:
        """Return the token of the newest invitation that a person got."""
        answer = self.owner.http.get(f"{self.owner.base_url}/dev/outbox", headers={"accept": "application/json"})
        texts = [mail["text"] for mail in answer.json()["data"]["mails"] if mail["to"] == person.email]
        return next(str(found[0]) for text in texts for found in [re.findall(r"hgi_\w+", text)] if found)

    def invitation(self, email: str, role: str) -> str:
        answer = self.owner.post(f"/api/v1/orgs/{self.org_id}/invitations", {"email": email, "role": role})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def things(self) -> Things:
        """Make one of each kind, and a member to whom things may be done."""
        target = self.invite("viewer")
        target.client(self.org_id)
        members = self.owner.all_pages(f"/api/v1/orgs/{self.org_id}/members", limit=100)
        [member_id] = [member["user_id"] for member in members if member["email"] == target.email]
        invitation = self.invitation(f"{letters(12)}@access.example", "viewer")
        assert self.owner.chat("sim/chat").status_code == 200
        until(lambda: self.ask("GET", "/api/v1/ledger", None)[1]["data"], "a record of a call")
        return make_things(self.ask, self.org_id, member_id, invitation, letters(8))

    def ask(self, method: str, path: str, body: Json | None) -> tuple[int, Any]:
        answer = self.owner.call(method, path, json=body)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def ground(headgate: Headgate, stack: Stack) -> Ground:
    return new_ground(headgate, stack)


def new_ground(headgate: Headgate, stack: Stack) -> Ground:
    administrator = Person(headgate, stack.admin_email, stack.admin_password)
    made = administrator.client().post("/api/v1/orgs", {"name": "Access"})
    assert made.status_code == 201, made.text
    org_id = made.json()["data"]["id"]
    return Ground(administrator, org_id)


def rank(route: Route) -> tuple[int, int]:
    """What looks comes first, then what makes and changes, then what deletes: what is in another before that one."""
    if name_of(route) in ENDINGS:
        return 3, ENDINGS.index(name_of(route))
    return (0 if route.method == "GET" else 2 if route.method == "DELETE" else 1), -route.path.count("{")


ORDERED = sorted(PROTECTED, key=rank)


def call(client: Headgate, route: Route, things: Things, password: str = PASSWORD) -> httpx.Response:
    body = things.body(route)
    if body and "password" in body:
        body["password"] = password
    if body and route.path.endswith("/change_email"):
        body["email"] = f"{letters(12)}@access.example"  # of mails to one address there are few
    if body and "new_password" in body:
        body["new_password"] = NEW_PASSWORD
    return client.call(route.method, things.path(route), json=body, headers={"if-match": "*"})


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says(ground: Ground, role: str) -> None:
    """Each route in turn: 403 for what it may not, and what it may is done."""
    person, things = ground.invite(role), ground.things()
    client = person.client(ground.org_id)
    for route in ORDERED:
        answer = call(client, route, things, person.password)
        if not allowed(route, ROLES[role], person=True):
            assert answer.status_code == 403, (name_of(route), answer.text)
            continue
        expected = BEGUN.get(name_of(route)) or BUSINESS.get(name_of(route), (0, ""))[0]
        assert answer.status_code in ({expected} if expected else {200, 201, 202, 204, 409}), (
            name_of(route),
            answer.text,
        )
        if name_of(route) in ENDINGS[:-1]:
            person.password = NEW_PASSWORD if "change_password" in route.path else person.password
            client = person.client(None if "leave" in route.path else ground.org_id)
    assert client.get("/api/v1/me").status_code == 401


def test_a_key_may_do_what_its_scopes_say(ground: Ground) -> None:
    """All of them, and none of what is a person's own; a key of one scope has that one."""
    things = ground.things()
    key = ground.owner.new_key(scopes=[str(scope) for scope in ALL_SCOPES])
    weak = ground.owner.new_key(scopes=["chat:write"])
    for route in ORDERED:
        answer = call(ground.owner.as_key(weak.secret), route, things)
        expected = {200} if route.permission == "chat:write" else {403}
        assert answer.status_code in expected, (name_of(route), answer.text)
        answer = call(ground.owner.as_key(key.secret), route, things)
        expected = {200, 201, 202, 204, 409} if route.permission != "self" else {403}
        assert answer.status_code in expected, (name_of(route), answer.text)


# A model's name is each organisation's own; sessions are the caller's.
OWN_NAMES = {"PUT /api/v1/models/{id:path}", "GET /v1/models/{model:path}", "DELETE /api/v1/sessions/{id}"}


def test_another_organisations_owner_finds_nothing(ground: Ground, own_headgate: Headgate) -> None:
    """By a key that may do everything at home: what has an id does not exist, and nothing of it is listed."""
    things = ground.things()
    for route in ORDERED:
        answer = call(own_headgate, route, things)
        own = {text for text in things.texts() if text not in things.path(route)}
        assert not [text for text in own if text in answer.text], name_of(route)
        if route.permission == "self":
            assert answer.status_code == 403, (name_of(route), answer.text)
        elif "{" in route.path and name_of(route) not in OWN_NAMES:
            assert answer.status_code == 404, (name_of(route), answer.text)
    shown = ground.owner.get(f"/api/v1/orgs/{ground.org_id}/members/{things.member_id}")
    assert shown.status_code == 200


def test_another_organisations_people_find_nothing(ground: Ground, headgate: Headgate, stack: Stack) -> None:
    """Its owner, with an access token and with a browser's session: the same as with a key."""
    administrator = Person(headgate, stack.admin_email, stack.admin_password)
    made = administrator.client().post("/api/v1/orgs", {"name": "Elsewhere"})
    elsewhere = Ground(administrator, made.json()["data"]["id"])
    stranger, things = elsewhere.invite("owner"), ground.things()
    token = stranger.client(elsewhere.org_id)
    before = shown_to(ground.owner, things)
    tried = 0
    for client in (token, stranger.browser(elsewhere.org_id)):
        assert client.get("/api/v1/orgs/current").json()["data"]["id"] == elsewhere.org_id
        for route in ORDERED:
            named = "{" in route.path and name_of(route) not in OWN_NAMES
            if route.permission == "self" and not named:
                continue
            answer = call(client, route, things)
            own = {text for text in things.texts() if text not in things.path(route)}
            assert not [text for text in own if text in answer.text], name_of(route)
            # Not 401 or 403, which would not tell whether another's things were looked for.
            right = answer.status_code == 404 if named else answer.status_code in {200, 201, 202, 204, 409, 412}
            assert right, (name_of(route), answer.text)
            tried += named
    assert tried >= 2 * 30
    assert shown_to(ground.owner, things) == before


def shown_to(owner: Headgate, things: Things) -> list[Any]:
    """Return what an organisation's owner sees of its things."""
    paths = {things.path(route) for route in ORDERED if route.method == "GET" and "{" in route.path}
    paths -= {path for path in paths if "/v1/models/" in path or "/ledger/" in path}
    answers = [owner.get(path) for path in sorted(paths)]
    assert {answer.status_code for answer in answers} == {200}, answers
    return [answer.json()["data"] for answer in answers]


def test_nobody_gets_in(ground: Ground) -> None:
    """Without a credential; and no role is the operator's."""
    things = ground.things()
    for route in ORDERED:
        answer = ground.owner.http.request(
            route.method, ground.owner.base_url + things.path(route), json=things.body(route)
        )
        assert answer.status_code == 401, (name_of(route), answer.text)
    for route in OPERATORS:
        assert ground.owner.call(route.method, route.path).status_code == 401


def test_two_owners_cannot_both_leave(ground: Ground, headgate: Headgate, stack: Stack) -> None:
    """At the same moment: one of them stays, also on PostgreSQL, where both might look before either has gone."""
    administrator = Person(headgate, stack.admin_email, stack.admin_password)
    second = ground.invite("viewer")
    for _ in range(3):  # more invitations in a row one address does not get
        org_id = second.client().post("/api/v1/orgs", {"name": "Two"}).json()["data"]["id"]
        two = Ground(second, org_id)
        two.invitation(administrator.email, "owner")
        accepted = administrator.client().post(
            "/api/v1/invitations/actions/accept", {"token": two.token(administrator)}
        )
        assert accepted.status_code == 200, accepted.text
        owners = (two.owner, administrator.client(org_id))
        with ThreadPoolExecutor(2) as pool:
            left = list(pool.map(leave, owners, [org_id] * 2))
        answers = [answer.status_code for answer in left]
        assert sorted(answers) == [204, 409], answers
        members = owners[answers.index(409)].all_pages(f"/api/v1/orgs/{org_id}/members")
        assert [member["role"] for member in members] == ["owner"]


def leave(client: Headgate, org_id: str) -> httpx.Response:
    return client.call("POST", f"/api/v1/orgs/{org_id}/actions/leave")


def test_an_organisation_asks_its_members_for_codes(headgate: Headgate, stack: Stack) -> None:
    """On both APIs, at once, also where an isolate has the caller in memory; until the person has switched them on."""
    own = new_ground(headgate, stack)
    member = own.invite("developer").client(own.org_id)
    owner = own.invite("owner").client(own.org_id)
    key = own.owner.new_key(scopes=["chat:write"])
    org = f"/api/v1/orgs/{own.org_id}"

    def require(required: bool) -> int:
        body = {"require_second_factor": required}
        return owner.call("PATCH", org, json=body, headers={"if-match": "*"}).status_code

    assert require(True) == 409
    switch_codes_on(owner)
    assert member.chat("sim/chat").status_code == 200
    assert require(True) == 200
    for refused in (member.chat("sim/chat"), member.get("/api/v1/keys")):
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "second_factor_required")
    assert owner.get("/api/v1/keys").status_code == 200
    assert headgate.as_key(key.secret).chat("sim/chat").status_code == 200
    assert member.get("/api/v1/me").json()["data"]["second_factor_required"] is True
    switch_codes_on(member)
    assert member.chat("sim/chat").status_code == 200
    assert member.get("/api/v1/keys").status_code == 200


def switch_codes_on(person: Headgate) -> None:
    begun = person.post("/api/v1/me/actions/begin_totp", {"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    secret = base64.b32decode(begun.json()["data"]["secret"])
    code = totp.code_at(secret, int(time.time()) // totp.STEP_SECONDS)
    confirmed = person.post("/api/v1/me/actions/confirm_totp", {"code": code})
    assert confirmed.status_code == 200, confirmed.text
