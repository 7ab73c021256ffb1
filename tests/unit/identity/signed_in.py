"""People who have signed in to a world: a browser with its cookie, an app with its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from lib.config import SessionConfig
from lib.http.cookies import SESSION_COOKIE
from lib.store.schema import UserRow
from tests.unit.fakes import run
from tests.unit.identity.fake_parts import PASSWORD, FakeSignIn
from tests.unit.store.seeds import seed_person
from tests.unit.world import Answer, World, new_world

EMAIL = "ada@example.com"
OWN = "https://headgate.example"
AGENT = {"user-agent": "a browser", "cf-connecting-ip": "192.0.2.7"}


def of(**settings: Any) -> SessionConfig:
    """Return settings of sessions, of a deployment that knows its own address."""
    return SessionConfig(issuer=OWN, **settings)


def know(world: World, user: UserRow) -> None:
    """Let somebody sign in with its address and PASSWORD."""
    cast("FakeSignIn", world.services.sign_in).people[user.email] = user


@dataclass
class Browser:
    """A browser that is signed in."""

    world: World
    signed_in: Answer
    user_id: str

    @classmethod
    def of(cls, world: World, answer: Answer, user_id: str) -> Browser:
        return cls(world, answer, user_id)

    @classmethod
    def sign_in(cls, world: World, user_id: str, old: str | None = None, email: str = EMAIL) -> Browser:
        headers = AGENT | ({"cookie": f"{SESSION_COOKIE}={old}"} if old else {})
        if email not in cast("FakeSignIn", world.services.sign_in).people:
            people = cast("FakeSignIn", world.services.sign_in).people
            people[email] = UserRow(**{**_fields(people[EMAIL]), "id": user_id, "email": email})
        body = {"email": email, "password": PASSWORD}
        answer = world.ask("POST", "/api/v1/sessions", body, key=None, headers=headers)
        assert answer.status == 201, answer.body
        return cls(world, answer, user_id)

    @property
    def cookie(self) -> str:
        return self.signed_in.headers["set-cookie"].partition("=")[2].partition(";")[0]

    @property
    def csrf(self) -> str:
        return str(self.signed_in.data["csrf_token"])

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        csrf: str | None = "own",
        cookie: str | None = None,
    ) -> Answer:
        sent = {"cookie": f"a=b; {SESSION_COOKIE}={self.cookie if cookie is None else cookie}"}
        if csrf is not None:
            sent["x-csrf-token"] = self.csrf if csrf == "own" else csrf
        return self.world.ask(method, target, body, key=None, headers=AGENT | sent | dict(headers or {}))


def _fields(row: UserRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in UserRow.__slots__}


def new_person(role: str | None = "owner", **config: Any) -> tuple[World, Browser]:
    """Return a world, and somebody of this role (None: of no organisation) who has signed in with a browser."""
    world, user = new_user(role, **config)
    return world, Browser.sign_in(world, user.id)


def new_user(role: str | None = "owner", **config: Any) -> tuple[World, UserRow]:
    """Return a world with somebody who can sign in."""
    world = new_world(**{"session": of(), **config})
    org_id = world.org_id if role else None
    user = run(seed_person(world.services.database, org_id, role or "", EMAIL))
    know(world, user)
    return world, user
