"""People who have signed in to a world: a browser with its cookie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.config import SessionConfig
from lib.http.cookies import SESSION_COOKIE
from lib.store.schema import UserRow
from tests.unit.fakes import run
from tests.unit.store.seeds import seed_person
from tests.unit.world import Answer, World, new_world

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
OWN = "https://headgate.example"
AGENT = {"user-agent": "a browser", "cf-connecting-ip": "192.0.2.7"}


def of(**settings: Any) -> SessionConfig:
    """Return settings of sessions, of a deployment that knows its own address."""
    return SessionConfig(issuer=OWN, **settings)


def actions(world: World) -> list[tuple[str, str]]:
    """Return what the logs of people say: what was done, and with what result."""
    rows = world.binding.connection.execute("SELECT action, result FROM person_events ORDER BY seq")
    return [(str(action), str(result)) for action, result in rows]


@dataclass
class Browser:
    """A browser that is signed in."""

    world: World
    signed_in: Answer
    user_id: str

    @classmethod
    def sign_in(cls, world: World, user_id: str, old: str | None = None, email: str = EMAIL) -> Browser:
        headers = AGENT | ({"cookie": f"{SESSION_COOKIE}={old}"} if old else {})
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


def new_person(role: str | None = "owner", **config: Any) -> tuple[World, Browser]:
    """Return a world, and somebody of this role (None: of no organisation) who has signed in with a browser."""
    world, user = new_user(role, **config)
    return world, Browser.sign_in(world, user.id)


def new_user(role: str | None = "owner", **config: Any) -> tuple[World, UserRow]:
    """Return a world with somebody who can sign in."""
    world = new_world(**{"session": of(), **config})
    return world, add_user(world, role)


def add_user(world: World, role: str | None = "owner", email: str = EMAIL) -> UserRow:
    """Make one more account that can sign in."""
    org_id = world.org_id if role else None
    password_hash = world.parts.passwords.hash(PASSWORD)
    return run(seed_person(world.parts.database, org_id, role or "", email, password_hash))
