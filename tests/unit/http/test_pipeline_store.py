"""A request and its store: its own database, closed on every way out; what it cost; and how fresh its reads must be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from lib.access.principal import Permission
from lib.http.request import Departure, RawRequest
from lib.http.response import LogFacts, Response
from lib.kernel.errors import NotFound
from lib.store.d1 import D1Database
from lib.store.database import (
    Database,
    Read,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    TenantViolation,
    UnstorableValue,
)
from lib.store.session import Bound, Result
from lib.store.tenant import Org, Tenant
from lib.web.app import App
from lib.web.pipeline import BOOKMARK, handle
from lib.web.route import Handler, Route
from lib.web.router import Router
from tests.seen import ROUTER
from tests.unit.fakes import raw_request, run
from tests.unit.gateway.fake_upstream import EVENTS, FakeAnswer, FakeUpstream
from tests.unit.store.sqlite_binding import SqliteBinding
from tests.unit.world import World, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
MARK = "00000001-000000a2-00004e2f-2be5f1fe0e9d8a1c6b0a7d3f5e4c2b1a"


@dataclass
class WatchedStore:
    """A store with connections, as PostgreSQL has them: each database opens one at its first statement."""

    binding: SqliteBinding
    seconds: float = 0.0
    opened: int = 0
    closed: int = 0
    failure: StoreError | None = None
    bookmarks: list[str | None] = field(default_factory=list)

    @property
    def open_now(self) -> int:
        return self.opened - self.closed

    def open(self, bookmark: str | None = None) -> Database:
        self.bookmarks.append(bookmark)
        return WatchedDatabase(self, bookmark)


class WatchedDatabase(D1Database):
    """A database that tells its store what it does. Each statement takes 2 ms."""

    def __init__(self, store: WatchedStore, bookmark: str | None) -> None:
        super().__init__(store.binding, lambda: store.seconds, 5, bookmark)
        self._store = store
        self._connected = False

    @property
    def connected(self) -> bool:
        return self._connected

    async def close(self) -> None:
        await asyncio.sleep(0)
        self._store.closed += self._connected
        self._connected = False

    async def _run(self, scope: Tenant, statements: Sequence[Bound], read: Read) -> list[Result]:
        self._store.opened += not self._connected
        self._connected = True
        self._store.seconds += 0.002
        if self._store.failure:
            raise self._store.failure
        return await super()._run(scope, statements, read)


def watched() -> tuple[World, WatchedStore]:
    world = new_world()
    store = WatchedStore(world.binding)
    world.parts = replace(world.parts, store=store, database=store.open())
    store.bookmarks.clear()
    world.binding.constraints.clear()
    return world, store


def asking(world: World, method: str = "GET", path: str = "/x", body: object = None) -> RawRequest:
    headers = {"authorization": f"Bearer {world.key.secret}", "content-type": "application/json"}
    return raw_request(method, path, b"" if body is None else json.dumps(body).encode(), headers)


def only(handler: Handler) -> Router:
    """Return a router with one route, which reads its caller from the store."""
    return Router(
        [Route(method="GET", path="/x", handler=handler, summary="", responses={}, permission=Permission.KEYS_READ)]
    )


async def look(parts: App, world: World) -> None:
    await parts.database.execute(Org(world.org_id), "SELECT 1 FROM orgs WHERE id = ?", world.org_id)


def test_an_answer_does_not_wait_for_the_connection_to_close() -> None:
    """It has begun when the connection is closed, and the log line waits for that."""
    world, store = watched()

    async def scene() -> None:
        response = await handle(world.parts, ROUTER, asking(world, path="/api/v1/keys"))
        assert (response.status, store.open_now) == (200, 1)
        assert response.finish is not None
        await response.finish()
        assert store.open_now == 0

    run(scene())
    assert store.opened == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/keys", None, 200),
        ("POST", "/api/v1/keys", {"name": "x"}, 201),
        ("GET", "/api/v1/keys/nothing", None, 404),
        ("POST", "/api/v1/keys", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, 422),
        ("GET", "/api/v1/usage", None, 200),
        ("POST", "/v1/chat/completions", CHAT, 200),
        ("POST", "/v1/chat/completions", CHAT | {"model": "nobody/knows"}, 404),
        ("GET", "/v1/models", None, 200),
        ("GET", "/readyz", None, 200),
    ],
)
def test_every_answer_closes_its_connection(method: str, path: str, body: object, status: int) -> None:
    """A success as well as a refusal; one connection at a time, however many statements."""
    world, store = watched()
    assert world.ask(method, path, body).status == status
    assert store.opened > 0
    assert store.open_now == 0


@pytest.mark.parametrize(("path", "key"), [("/livez", None), ("/api/v1/keys", None), ("/nowhere", ""), ("/docs", "")])
def test_who_asks_nothing_of_the_store_opens_nothing(path: str, key: str | None) -> None:
    """And nothing is left to be done after the answer."""
    world, store = watched()
    answer = world.ask("GET", path, key=key)
    assert (store.opened, answer.facts["db_queries"], answer.facts["db_ms"]) == (0, 0, 0.0)


@pytest.mark.parametrize("failure", [RuntimeError("defect"), StoreError("wrong SQL"), TenantViolation("defect")])
def test_a_defect_closes_the_connection(failure: Exception) -> None:
    """Before it is raised to who logs it: it never gets to `finish`."""
    world, store = watched()

    async def broken(parts: App, *_: object) -> Response:
        await look(parts, world)
        raise failure

    with pytest.raises(type(failure)):
        run(handle(world.parts, only(broken), asking(world)))
    assert (store.opened, store.open_now) == (1, 0)


def test_who_is_cancelled_closes_the_connection() -> None:
    """The client went away while the handler waited."""
    world, store = watched()
    waiting = asyncio.Event()

    async def endless(parts: App, *_: object) -> Response:
        await look(parts, world)
        waiting.set()
        await asyncio.sleep(60)
        return Response(204)

    async def scene() -> None:
        task = asyncio.create_task(handle(world.parts, only(endless), asking(world)))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scene())
    assert (store.opened, store.open_now) == (1, 0)


def test_a_long_answer_does_not_hold_the_connection() -> None:
    """What is to be done after an answer, such as reading a stream to its end, is done when it is closed."""
    world, store = watched()
    open_at_the_end: list[int] = []

    async def streaming(parts: App, *_: object) -> Response:
        await look(parts, world)

        async def finish() -> LogFacts:
            open_at_the_end.append(store.open_now)
            return {"told": "later"}

        return Response(200, body=b"", finish=finish)

    async def scene() -> LogFacts:
        response = await handle(world.parts, only(streaming), asking(world))
        assert response.finish is not None
        return await response.finish()

    assert run(scene()) == {"told": "later"}
    assert open_at_the_end == [0]


class WatchingUpstream(FakeUpstream):
    """A provider that notes how many connections to the store are open when it is called."""

    def __init__(self, store: WatchedStore, answer: FakeAnswer) -> None:
        super().__init__([answer])
        self._store = store
        self.seen: list[int] = []

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, client: Departure, timeout_seconds: int
    ) -> FakeAnswer:
        self.seen.append(self._store.open_now)
        return await super().post(url, headers, body, client, timeout_seconds)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_to_a_model_holds_no_connection(stream: bool) -> None:
    """It may last for minutes, and there are fewer connections than calls. Also where the account is cached."""
    world, store = watched()
    answer = FakeAnswer(headers=EVENTS, pieces=[b"data: [DONE]\n\n"]) if stream else FakeAnswer()
    upstream = WatchingUpstream(store, answer)
    world.parts = replace(world.parts, gateway=replace(world.parts.gateway, upstream=upstream))
    for _ in range(2):
        assert world.ask("POST", "/v1/chat/completions", {**CHAT, "stream": stream}).status == 200
    assert upstream.seen == [0, 0]
    assert store.open_now == 0


def test_a_caller_who_is_judged_anew_needs_no_second_connection() -> None:
    """Nobody knows the policy's version yet, so the gate sends the first request back once: it goes on as it is."""
    world, store = watched()
    assert world.ask("POST", "/v1/chat/completions", CHAT).status == 200
    assert (store.opened, store.open_now) == (1, 0)


def test_each_request_has_a_database_of_its_own() -> None:
    """Side by side, none closes another's."""
    world, store = watched()

    async def scene() -> None:
        raws = [asking(world, path="/api/v1/keys") for _ in range(3)]
        responses = await asyncio.gather(*(handle(world.parts, ROUTER, raw) for raw in raws))
        for number, response in enumerate(responses):
            assert store.open_now == 3 - number
            assert response.finish is not None
            await response.finish()

    run(scene())
    assert (store.opened, store.open_now) == (3, 0)


def test_the_log_knows_what_the_store_has_cost() -> None:
    """How often it was asked, and for how long; the caller's key is a query too."""
    world, _ = watched()
    facts = world.ask("GET", "/api/v1/keys").facts
    assert (facts["db_queries"], facts["db_ms"]) == (2, 4.0)
    refused = world.ask("GET", "/api/v1/keys/nothing").facts
    assert refused["error_code"] == "not_found"
    assert refused["db_queries"] == 1


def test_a_store_that_fails_has_its_cost_in_the_log() -> None:
    """With the reason."""
    world, store = watched()
    store.failure = StoreUnavailable("away")
    facts = world.ask("GET", "/api/v1/keys").facts
    assert (facts["db_queries"], facts["db_ms"], facts["reason"]) == (1, 2.0, "away")
    assert store.open_now == 0


@pytest.mark.parametrize("failure", [StoreUnavailable("at 10.0.0.7"), StoreTimeout("at 10.0.0.7")])
@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/keys"), ("POST", "/v1/chat/completions")])
def test_a_store_that_is_away_or_slow_is_a_503(failure: StoreError, method: str, path: str) -> None:
    """It may be tried again, and nothing of the inside is told."""
    world, store = watched()
    store.failure = failure
    answer = world.ask(method, path, CHAT if method == "POST" else None)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "10.0.0.7" not in json.dumps(answer.body)


def test_a_value_that_cannot_be_stored_is_the_clients_mistake() -> None:
    """400, with the reason and without the value."""
    world, _ = watched()

    async def binding(parts: App, *_: object) -> Response:
        await parts.database.execute(Org(world.org_id), "DELETE FROM models WHERE org_id = ?", "secret\0")
        return Response(204)

    response = run(handle(world.parts, only(binding), asking(world)))
    assert isinstance(response.body, bytes)
    assert response.status == 400
    assert "U+0000" in response.body.decode()
    assert "secret" not in response.body.decode()
    assert issubclass(UnstorableValue, StoreError)


def test_a_write_tells_how_far_the_store_has_come() -> None:
    """And a read of the latest has nothing to tell."""
    world, store = watched()
    assert world.ask("POST", "/api/v1/keys", {"name": "x"}).headers[BOOKMARK] == "0000-01"
    assert BOOKMARK not in world.ask("GET", "/api/v1/keys").headers
    assert store.bookmarks == [None, None]
    assert world.binding.constraints == ["first-primary"]


def test_an_error_behind_a_write_tells_it_too() -> None:
    """What was written was written."""
    world, _ = watched()

    async def failing(parts: App, *_: object) -> Response:
        await parts.database.execute(Org(world.org_id), "DELETE FROM models WHERE org_id = ?", world.org_id)
        raise NotFound("nothing")

    response = run(handle(world.parts, only(failing), asking(world)))
    assert (response.status, response.headers[BOOKMARK]) == (404, "0000-01")


@pytest.mark.parametrize("mark", [MARK, "0000-01", "a-b-c"])
def test_a_list_is_as_fresh_as_the_client_has_seen_it(mark: str) -> None:
    """What it presents is what its session begins with; the answer has the next mark."""
    world, store = watched()
    answer = world.ask("GET", "/api/v1/keys", headers={BOOKMARK: mark})
    assert (answer.status, answer.headers[BOOKMARK]) == (200, "0000-01")
    assert store.bookmarks == [mark]
    assert world.binding.constraints == [mark]


@pytest.mark.parametrize(
    "mark",
    [
        "", " ", "first-primary", "first-unconstrained", "0000", "-", "0000-", "-0000", "0000-01 ", "0000-01\n",
        "0000--01",        "0000-01'; --", "\u0660-\u0660", "A-B", "0000-" + "1" * 65, "-".join(["0"] * 9), "0" * 5000,
    ],
)  # fmt: skip
def test_what_cannot_be_a_bookmark_is_as_none(mark: str) -> None:
    """Least of all may a client choose how D1 goes about its reads."""
    world, store = watched()
    assert world.ask("GET", "/api/v1/keys", headers={BOOKMARK: mark}).status == 200
    assert store.bookmarks == [None]
    assert world.binding.constraints == []


class Elsewhere:
    """A session that is not the primary: it notes what it was asked."""

    def __init__(self, binding: SqliteBinding) -> None:
        self._binding = binding
        self.asked: list[str] = []

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        self.asked += [sql for sql, _ in statements]
        return await self._binding.batch(statements)

    def bookmark(self) -> str | None:
        return "0000-02"


def test_who_the_caller_is_is_always_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was revoked a moment ago is not alive in a replica; only the list is read there."""
    world, _ = watched()
    elsewhere = Elsewhere(world.binding)
    monkeypatch.setattr(world.binding, "replicated", lambda _: elsewhere)
    assert world.ask("GET", "/api/v1/keys", headers={BOOKMARK: MARK}).headers[BOOKMARK] == "0000-02"
    [listed] = elsewhere.asked
    assert "ORDER BY id" in listed
