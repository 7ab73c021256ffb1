"""`Idempotency-Key`: done once, answered again, and safe against every way a request can die."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.events.event_store import Noted
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import BadRequest, Conflict, HeadgateError, Unavailable, UnprocessableEntity
from lib.store.tenant import Org
from lib.web.idempotency import ABANDONED, KEPT, once, purge
from lib.web.route import Route
from tests.unit.fakes import FakeClient, FakeHeaders, FakeSealer, run
from tests.unit.world import World, new_world

SECRET = "hg_made_just_now"
WORLD = new_world()  # for the property; it leaves nothing behind


@dataclass
class Work:
    """Work that counts how often it is done, and can wait or fail."""

    failure: BaseException | None = None
    body: bytes = json.dumps({"secret": SECRET}).encode()
    times: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waits: bool = False

    async def __call__(self) -> Response:
        self.times += 1
        if self.waits:
            await self.gate.wait()
        if self.failure:
            raise self.failure
        return Response(201, {"location": "/x/1"}, self.body)


async def handler(*_: object) -> Response:
    """Stand in for a handler; `once` is given the work itself."""
    return Response(204)


def request(body: dict[str, object] | None = None, path: dict[str, str] | None = None) -> Validated[None, None]:
    return Validated("r", None, None, FakeHeaders(), FakeClient(), path or {}, body or {})


def route(path: str = "/things", method: str = "POST", status: int = 200) -> Route:
    return Route(method=method, path=path, handler=handler, summary="", responses={status: None}, permission=None)


async def attempt(
    world: World, work: Work, key: str = "k", req: Validated[None, None] | None = None, to: Route | None = None
) -> Response:
    return await once(world.parts, world.key.principal, to or route(), req or request(), key, work)


def stored(world: World) -> list[dict[str, object]]:
    return world.binding.rows("SELECT * FROM idempotent_answers")


def test_the_second_time_the_first_answer_comes_again() -> None:
    """The work is done once; the answer is the same, marked as a repetition."""
    world, work = new_world(), Work()
    first = run(attempt(world, work))
    second = run(attempt(world, work))
    assert work.times == 1
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers == {**first.headers, "idempotency-replayed": "true"}


def test_another_key_is_another_request() -> None:
    """And so is the same key of another organisation."""
    world, work = new_world(), Work()
    run(attempt(world, work, "k1"))
    run(attempt(world, work, "k2"))
    assert work.times == 2


def test_a_key_belongs_to_its_organisation() -> None:
    """Two organisations that choose the same key never see each other's answers."""
    world, work = new_world(), Work()
    run(attempt(world, work))
    [row] = stored(world)
    other = new_world()
    world.binding.connection.execute(
        "INSERT INTO orgs (id, name, created_at, updated_at) SELECT ?, name, created_at, updated_at FROM orgs LIMIT 1",
        (other.org_id,),
    )
    run(once(world.parts, other.key.principal, route(), request(), "k", work))
    assert work.times == 2
    assert {entry["org_id"] for entry in stored(world)} == {row["org_id"], other.org_id}


@pytest.mark.parametrize(
    ("req", "to"),
    [
        (request({"name": "b"}), route()),
        (request({}), route("/others")),
        (request({}, {"id": "8"}), route()),
        (request({}), route(method="PUT")),
    ],
)
def test_a_key_of_another_request_is_refused(req: Validated[None, None], to: Route) -> None:
    """Another body, route, method or path under one key is a mistake of the client, and tells so."""
    world, work = new_world(), Work()
    run(attempt(world, work))
    with pytest.raises(UnprocessableEntity) as caught:
        run(attempt(world, work, req=req, to=to))
    assert caught.value.code == "idempotency_key_reused"
    assert work.times == 1


def test_the_order_of_members_does_not_matter() -> None:
    """The same object written otherwise is the same request."""
    world, work = new_world(), Work()
    run(attempt(world, work, req=request({"a": 1, "b": {"c": 1, "d": 2}})))
    run(attempt(world, work, req=request({"b": {"d": 2, "c": 1}, "a": 1})))
    assert work.times == 1


def test_while_the_first_is_under_way_the_second_is_told_so() -> None:
    """Neither waits nor does the work twice."""

    world, work = new_world(), Work(waits=True)

    async def scene() -> None:
        first = asyncio.ensure_future(attempt(world, work))
        await asyncio.sleep(0.01)
        with pytest.raises(Conflict) as caught:
            await attempt(world, work)
        assert caught.value.code == "idempotency_in_progress"
        work.gate.set()
        assert (await first).status == 201
        assert (await attempt(world, work)).headers["idempotency-replayed"] == "true"
        assert work.times == 1

    run(scene())


@pytest.mark.parametrize("failure", [Conflict("no"), RuntimeError("defect"), asyncio.CancelledError()])
def test_a_failure_is_not_kept(failure: BaseException) -> None:
    """A refused, broken or cancelled request may be sent again, and is done then."""
    world = new_world()

    async def scene() -> None:
        with pytest.raises(type(failure)):
            await attempt(world, Work(failure))

    run(scene())
    assert stored(world) == []
    work = Work()
    run(attempt(world, work))
    assert work.times == 1


@pytest.mark.parametrize(("status", "has_written", "times"), [(201, True, 0), (201, False, 1), (200, True, 1)])
def test_what_was_made_before_a_failure_is_not_made_again(status: int, has_written: bool, times: int) -> None:
    """What only changes something is: that is harmless, and whoever repeats it has the gate told."""
    world, again = new_world(), Work()

    async def breaks() -> Response:
        if has_written:
            world.parts.written.append(Noted("", owner=Org(world.org_id), id="i", action="budget.adjusted"))
        raise Unavailable("the gate is away")

    with pytest.raises(Unavailable):
        run(once(world.parts, world.key.principal, route(status=status), request(), "k", breaks))
    assert world.gates.told == []
    for _ in range(2):
        if times:
            assert run(attempt(world, again, to=route(status=status))).status == 201
        else:
            with pytest.raises(Conflict) as caught:
                run(attempt(world, again, to=route(status=status)))
            assert caught.value.code == "idempotency_answer_lost"
    assert again.times == times
    assert world.gates.told == ([] if times else ["accounts", "rules"] * 2)


def test_a_budget_is_topped_up_once_though_its_gate_was_away() -> None:
    """An SDK repeats a 503 with the same key: the money must not come twice."""
    world = new_world()
    made = world.ask("POST", "/api/v1/budgets", {"scope": {"type": "org"}, "window": "total", "limit_nano_usd": 10})
    place = f"/api/v1/budgets/{made.data['id']}/adjustments"
    top_up, key = {"kind": "top_up", "amount_nano_usd": 5}, {"idempotency-key": "k"}
    world.gates.failure = Unavailable("away")
    statuses = [world.ask("POST", place, top_up, headers=key).status]
    world.gates.failure = None
    statuses += [world.ask("POST", place, top_up, headers=key).status for _ in range(2)]
    assert statuses == [503, 409, 409]
    assert len(world.ask("GET", place).data) == 1


def test_a_request_that_died_gives_its_key_back() -> None:
    """The isolate ended between the claim and the answer: after ABANDONED the key is free again."""
    world = new_world()
    run(attempt(world, Work()))
    world.binding.connection.execute("UPDATE idempotent_answers SET answer = NULL")
    work = Work()
    with pytest.raises(Conflict):
        run(attempt(world, work))
    world.clock.advance(seconds=ABANDONED.total_seconds() + 1)
    assert run(attempt(world, work)).status == 201
    assert work.times == 1


def test_an_answer_is_kept_for_a_day() -> None:
    """After that the key is new."""
    world, work = new_world(), Work()
    run(attempt(world, work))
    world.clock.advance(seconds=KEPT.total_seconds() - 1)
    run(attempt(world, work))
    assert work.times == 1
    world.clock.advance(seconds=2)
    run(attempt(world, work))
    assert work.times == 2


def test_a_slow_request_does_not_touch_the_key_that_another_took_over() -> None:
    """One that holds its key for longer than ABANDONED has lost it: its late answer is not the new holder's."""
    world = new_world()
    slow, quick = Work(waits=True, body=b"{}"), Work()
    late = request({"name": "late"})

    async def scene() -> None:
        first = asyncio.ensure_future(attempt(world, slow, req=late))
        await asyncio.sleep(0.01)
        world.clock.advance(seconds=ABANDONED.total_seconds() + 1)
        answer = await attempt(world, quick)
        slow.gate.set()
        await first
        assert (await attempt(world, quick)).body == answer.body

    run(scene())


def test_a_slow_request_that_fails_does_not_free_the_key_that_another_took_over() -> None:
    """Else a third request would do the work of the second again."""
    world = new_world()
    slow, quick = Work(Conflict("too late"), waits=True), Work(waits=True)

    async def scene() -> None:
        first = asyncio.ensure_future(attempt(world, slow))
        await asyncio.sleep(0.01)
        world.clock.advance(seconds=ABANDONED.total_seconds() + 1)
        second = asyncio.ensure_future(attempt(world, quick))
        await asyncio.sleep(0.01)
        slow.gate.set()
        with pytest.raises(Conflict):
            await first
        with pytest.raises(HeadgateError):
            await attempt(world, Work())
        quick.gate.set()
        await second

    run(scene())


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(key: str) -> None:
    """1 to 255 characters."""
    with pytest.raises(BadRequest):
        run(attempt(new_world(), Work(), key))


@given(st.text(min_size=8, max_size=255))
def test_any_key_works_and_none_is_stored(key: str) -> None:
    """The store has only hashes of it, and the answer is sealed: who steals the store learns neither key nor secret."""
    world, work = WORLD, Work()
    world.binding.connection.execute("DELETE FROM idempotent_answers")
    run(attempt(world, work, key))
    assert run(attempt(world, work, key)).headers["idempotency-replayed"] == "true"
    [row] = stored(world)
    # Without the columns' names and times, which a key may be by chance.
    text = "".join(str(row[name]) for name in ("key_hash", "request_hash", "answer"))
    text += base64.b64decode(str(row["answer"])).decode("latin-1")
    assert key not in text
    assert SECRET not in text


def test_the_stores_hashes_depend_on_the_deployments_secret() -> None:
    """Who steals the store can't even test guesses of a client's key, and opens no answer."""
    worlds = [new_world(), new_world()]
    worlds[1].parts = replace(worlds[1].parts, pepper=b"q" * 32)
    for world in worlds:
        run(attempt(world, Work()))
    [one], [other] = (stored(world) for world in worlds)
    assert one["key_hash"] != other["key_hash"]
    assert one["request_hash"] != other["request_hash"]  # a body may hold a password
    assert one["answer"] != other["answer"]


def test_another_key_does_not_open_an_answer() -> None:
    """The sealing key depends on the client's header: a row moved under another key stays shut."""
    world, work = new_world(), Work()
    run(attempt(world, work, "k1"))
    run(attempt(world, work, "k2"))
    world.binding.connection.execute(
        "UPDATE idempotent_answers SET answer = (SELECT min(answer) FROM idempotent_answers)"
    )
    opened = 0
    for key in ("k1", "k2"):
        try:
            run(attempt(world, work, key))
            opened += 1
        except ValueError:
            pass
    assert opened == 1
    assert isinstance(world.parts.sealer, FakeSealer)


def test_purge_deletes_what_is_older_than_a_day() -> None:
    """And only that; it tells how many."""
    world, work = new_world(), Work()
    run(attempt(world, work, "old"))
    world.clock.advance(seconds=KEPT.total_seconds())
    run(attempt(world, work, "new"))
    world.clock.advance(seconds=1)
    assert run(purge(world.parts)) == 1
    assert len(stored(world)) == 1
