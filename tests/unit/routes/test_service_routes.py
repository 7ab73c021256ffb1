"""`/livez`, `/readyz`, `/openapi.json` and `/docs`: open to anybody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.store.database import ScopeLost
from lib.web.app import App
from routes import health
from tests.seen import DOCUMENT
from tests.unit.world import new_world

CHECKED = {"database": "ok", "gate": "ok"}


async def well(_parts: App) -> None:
    """A dependency that answers."""


async def broken(_parts: App) -> None:
    """A dependency that fails."""
    raise RuntimeError("D1 at 10.0.0.7 said no")


async def silent(_parts: App) -> None:
    """A dependency that never answers."""
    await asyncio.sleep(60)


def with_checks(parts: App, **checks: object) -> App:
    return replace(parts, checks=checks)  # type: ignore[arg-type]


def test_an_isolate_that_runs_is_alive() -> None:
    """Whatever its dependencies do: it must not be restarted because the store is away."""
    world = new_world()
    world.parts = with_checks(world.parts, database=broken)
    assert world.ask("GET", "/livez", key=None).body == {"status": "ok"}


def test_it_is_ready_when_every_dependency_answers() -> None:
    """By name."""
    world = new_world()
    world.parts = with_checks(world.parts, database=well, gate=well)
    answer = world.ask("GET", "/readyz", key=None)
    expected = {"status": "ok", "checks": CHECKED, "milliseconds": {"database": 0, "gate": 0}}
    assert (answer.status, answer.body) == (200, {**expected, "failures": {}, "without": []})


def test_it_tells_how_far_each_is_and_what_there_is_not() -> None:
    """For who looks from outside: `./headgate doctor`."""
    world = new_world()

    async def far(_parts: App) -> None:
        world.clock.advance(seconds=0.18)

    world.parts = replace(with_checks(world.parts, database=well, gate=far), without=("archive", "mail"))
    body = world.ask("GET", "/readyz", key=None).body
    assert (body["milliseconds"]["gate"], body["without"]) == (180, ["archive", "mail"])


def test_it_tells_operators_what_has_failed() -> None:
    """By name and number, since the isolate began; it may be ready all the same."""
    failures.note(Failure.KV_READ, "not told here")
    failures.note(Failure.KV_READ, "")
    answer = new_world().ask("GET", "/readyz", key=None)
    assert (answer.status, answer.body["failures"]) == (200, {"kv_read": 2})


def test_it_is_not_ready_when_one_fails_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, in bounded time; the reason is not told to everybody."""
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.02)
    world = new_world()
    world.parts = with_checks(world.parts, database=broken, gate=silent, other=well)
    answer = world.ask("GET", "/readyz", key=None)
    checks = {"database": "failed", "gate": "timeout", "other": "ok"}
    assert (answer.status, answer.body["status"], answer.body["checks"]) == (503, "unavailable", checks)
    assert answer.headers["retry-after"] == "1"
    assert "10.0.0.7" not in str(answer.body)


def test_a_database_that_shows_another_scopes_rows_is_not_ready(noted: list[dict[str, object]]) -> None:
    """It is told apart from one that is away: nothing mends it but its operator, whom the log wakes."""

    async def open_wall(_parts: App) -> None:
        raise ScopeLost("row level security does not hold")

    world = new_world()
    world.parts = with_checks(world.parts, database=open_wall, gate=well)
    answer = world.ask("GET", "/readyz", key=None)
    assert (answer.status, answer.body["checks"]) == (503, {"database": "misconfigured", "gate": "ok"})
    assert answer.body["failures"] == {Failure.STORE_SCOPE.name.lower(): 1}
    [line] = [each for each in noted if each["event"] == "dependency_failed"]
    assert (line["reason"], line["alert"]) == ("row level security does not hold", "operator")


def test_the_document_is_served_to_any_origin() -> None:
    """Tools in browsers read it."""
    answer = new_world().ask("GET", "/openapi.json", key=None)
    assert answer.body == DOCUMENT
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_page_is_served_with_its_policy() -> None:
    """HTML that runs no script but its own, and can't be framed."""
    answer = new_world().ask("GET", "/docs", key=None)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", "/docs"])
def test_a_wrong_credential_does_not_matter_where_none_is_needed(path: str) -> None:
    """A load balancer may send what it likes."""
    assert new_world().ask("GET", path, key="nonsense").status == 200


@pytest.mark.parametrize("path", ["/livez", "/docs"])
def test_only_reading_is_allowed(path: str) -> None:
    """405, telling what is."""
    answer = new_world().ask("POST", path, {}, key=None)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
