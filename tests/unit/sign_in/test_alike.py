"""Who has an account is not told by time: the same steps lead to the answer, and the rest waits until it has left.

`python -m bench.answer_times` measures it: 60 addresses that somebody has against 60 that nobody has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lib.secrets.opaque import new_secret
from lib.sign_in import email_change
from lib.sign_in.later import AFTER_SECONDS, later
from lib.sign_in.reauthentication import Proof
from lib.web import pipeline
from lib.web.router import Router
from routes import ROUTES
from tests.unit.fakes import raw_request, run
from tests.unit.sign_in.people import CONTEXT, EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import USERS, act, join, open_world, sign_in, sign_up
from tests.unit.world import World

ROUTER = Router(ROUTES)
OTHER = "bob@wonder.example"
STRANGE = new_secret("hgm_")


def posted(world: World, path: str, body: str) -> int:
    """Ask, and do nothing of what is left for later."""
    raw = raw_request("POST", path, body.encode(), {"content-type": "application/json"})
    return run(pipeline.handle(world.parts, ROUTER, raw)).status


def signing_up(world: World, who: str) -> int:
    return posted(world, USERS, f'{{"email": "{who}", "password": "{PASSWORD}", "name": "Alice"}}')


def forgotten(world: World, who: str) -> int:
    return posted(world, f"{USERS}/actions/request_password_reset", f'{{"email": "{who}"}}')


def signing_in(world: World, who: str) -> int:
    body = f'{{"grant_type": "password", "email": "{who}", "password": "a wrong password"}}'
    return posted(world, "/api/v1/tokens", body)


def another_address(world: World, who: str) -> int:
    asked = email_change.request_change(world.parts, sign_in(world, OTHER), who, Proof(PASSWORD), CONTEXT)
    run(asked)
    return 202


def confirming(world: World, who: str) -> int:
    """With a token that was used, and with one that nobody has: neither is told from the other."""
    token = world.people.mailer.token() if who == EMAIL else STRANGE
    return posted(world, f"{USERS}/actions/verify_email", f'{{"token": "{token}"}}')


@pytest.mark.parametrize("ask", [signing_up, forgotten, signing_in, another_address, confirming])
def test_the_same_steps_lead_to_the_answer(ask: Callable[[World, str], int]) -> None:
    """For an address that is confirmed, for one that waits for that, and for one that nobody has."""
    seen = []
    for known in (EMAIL, "waiting@wonder.example", "nobody@wonder.example"):
        world = open_world()
        join(world, OTHER)
        sign_up(world, "waiting@wonder.example")
        join(world)
        hasher, guard = world.people.hasher, world.people.guard
        world.binding.statements.clear()
        guard.failures.clear()
        before = hasher.verified
        status = ask(world, known)
        steps = [sql for sql, _ in world.binding.statements]
        seen.append((status, steps, hasher.verified - before, [purpose for purpose, *_ in guard.failures]))
    assert seen[0] == seen[1] == seen[2]


def test_what_differs_begins_in_another_turn_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is ready in the turn of an answer runs before it leaves: what is left for later is not ready then."""
    parts, begun = open_world().parts, []

    async def work() -> None:
        begun.append(True)

    async def answered() -> list[bool]:
        finishing = asyncio.ensure_future(later(parts, work)())
        for _ in range(100):
            await asyncio.sleep(0)
        before = list(begun)
        await finishing
        return before

    assert AFTER_SECONDS >= 0.01
    monkeypatch.setattr("lib.sign_in.later.AFTER_SECONDS", AFTER_SECONDS)
    assert (run(answered()), begun) == ([], [True])


def test_a_used_token_and_a_strange_one_are_answered_alike() -> None:
    world = open_world()
    join(world)
    used, strange = (act(world, "verify_email", token=token) for token in (world.people.mailer.token(), STRANGE))
    assert (used.status, used.error["message"]) == (strange.status, strange.error["message"])
