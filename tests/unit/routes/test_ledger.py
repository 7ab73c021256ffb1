"""`/api/v1/ledger`, from request to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from lib.http.memory import Memory
from lib.kernel.errors import Unavailable
from lib.kernel.ids import new_id
from lib.ledger import ledger
from lib.store import reading
from lib.store.database import StoreUnavailable
from tests.unit.fakes import NOW, run
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.store.seeds import seed_key, seed_org
from tests.unit.world import World, new_world

LEDGER, EXPORT = "/api/v1/ledger", "/api/v1/ledger/export"
TOLD = json.dumps({"usage": {"prompt_tokens": 10, "completion_tokens": 20}}).encode()


def call(world: World, model: str, user: str | None = None, pieces: list[bytes] | None = None) -> None:
    world.upstream.script = [FakeAnswer(pieces=pieces or [TOLD])]
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **({"user": user} if user else {})}
    assert world.ask("POST", "/v1/chat/completions", body).status == 200


def used(number: int = 3) -> World:
    """Return a world in which models a, b, c … were called, an hour apart, the last one now."""
    world = new_world()
    world.clock.advance(hours=1 - number)
    for index in range(number):
        world.clock.advance(hours=1 if index else 0)
        call(world, f"sim/{chr(97 + index % 26)}", f"user-{index % 2}")
    return world


def models(world: World, query: str = "") -> list[str]:
    answer = world.ask("GET", f"{LEDGER}?{query}")
    assert answer.status == 200, answer.body
    return [entry["model"] for entry in answer.data]


def exported(world: World, query: str = "") -> list[Mapping[str, Any]]:
    answer = world.ask("GET", f"{EXPORT}?{query}")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/x-ndjson"
    return whole(answer.body)


def whole(body: bytes) -> list[Mapping[str, Any]]:
    """Return the lines of an export; its last says that nothing is left."""
    *lines, end = map(json.loads, body.splitlines())
    assert end == {"meta": {"next_cursor": None}}
    return lines


def test_an_entry_tells_the_whole_path_and_what_it_cost() -> None:
    """Whom it was for, what it used by kinds of tokens, by which price, why it ended, and how long it took."""
    world = used(1)
    [entry] = world.ask("GET", LEDGER).data
    principal = world.key.principal
    assert [entry[name] for name in ("org_id", "team_id", "user_id", "key_id", "end_user")] == [
        principal.org_id, None, None, principal.key_id, "user-0",
    ]  # fmt: skip
    assert (entry["input_tokens"], entry["output_tokens"], entry["cost_nano_usd"]) == (10, 20, 9000)
    assert (entry["cause"], entry["estimated"], entry["price_version"]) == ("finished", False, "sim-1")
    assert entry["started_at"] == entry["recorded_at"] == entry["updated_at"] == "2026-05-04T12:30:15.123456Z"
    assert entry["id"] == world.gates.settled[0].id
    assert world.ask("GET", f"{LEDGER}/{entry['id']}").data == entry
    assert world.ask("GET", "/api/v1/usage/records").data == [entry]
    assert exported(world) == [entry]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["sim/c", "sim/b", "sim/a"]),
        ("from=2026-05-04", ["sim/c", "sim/b", "sim/a"]),
        ("to=2026-05-03", []),
        ("from=2026-05-04T11:30:15.123456Z", ["sim/c", "sim/b"]),
        ("to=2026-05-04T11:30:15.123456Z", ["sim/a"]),
        (f"from={quote('2026-05-04T13:30:15.123456+02:00')}&to=2026-05-04", ["sim/c", "sim/b"]),
        ("model=sim/a", ["sim/a"]),
        ("end_user=user-0", ["sim/c", "sim/a"]),
        ("end_user=user-0&model=sim/b", []),
        ("provider=sim", ["sim/c", "sim/b", "sim/a"]),
        ("provider=openai", []),
        ("cause=finished", ["sim/c", "sim/b", "sim/a"]),
        ("cause=lost", []),
        ("estimated=true", []),
        ("estimated=false", ["sim/c", "sim/b", "sim/a"]),
        ("key_id=nobody", []),
    ],
)
def test_filters(query: str, expected: list[str]) -> None:
    """Each alone and together; the export takes the same and tells the oldest first."""
    world = used()
    assert models(world, query) == expected
    assert [entry["model"] for entry in exported(world, query)] == expected[::-1]


def test_an_estimate_is_found() -> None:
    """What no provider told."""
    world = used(1)
    call(world, "sim/guess", pieces=[b"{}"])
    assert models(world, "estimated=true") == ["sim/guess"]


@pytest.mark.parametrize("path", [LEDGER, EXPORT])
@pytest.mark.parametrize(
    "query",
    [
        "from=2026-05-05&to=2026-05-03",
        "from=yesterday",
        "from=2026-05-04T12:00:00",
        "from=2026-02-30",
        "from=1999-12-31",
        "to=3000-01-01",
        "to=",
        "from=0001-01-01T00:00:00%2B23:59",
        "from=2026-05-04T25:00:00Z",
        "cause=unknown",
        "estimated=perhaps",
        "end_user=" + "x" * 257,
        "provider=" + "x" * 33,
        "unknown=1",
    ],
)
def test_a_wrong_question_is_refused(path: str, query: str) -> None:
    """400, and no body is begun."""
    world = new_world()
    assert world.ask("GET", f"{path}?{query}").status == 400
    assert not world.streams.opened


def test_pages_of_the_ledger() -> None:
    """By an opaque cursor, at most 100 a page; of the export there are none."""
    world = used(5)
    first = world.ask("GET", f"{LEDGER}?limit=2")
    rest = world.ask("GET", f"{LEDGER}?limit=100&cursor={first.body['meta']['next_cursor']}")
    assert [entry["model"] for entry in first.data + rest.data] == [f"sim/{letter}" for letter in "edcba"]
    assert rest.body["meta"]["next_cursor"] is None
    assert world.ask("GET", f"{LEDGER}?limit=101").status == 400
    assert world.ask("GET", f"{EXPORT}?limit=2").status == 400


def test_the_export_can_be_asked_for_by_its_media_type() -> None:
    """`Accept` chooses it; a page of it can't be asked for."""
    world, accept = used(), {"accept": "application/x-ndjson"}
    answer = world.ask("GET", f"{LEDGER}?model=sim/b", headers=accept)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [entry["model"] for entry in whole(world.streams.opened[0].native)] == ["sim/b"]
    for query in ("limit=2", "cursor=x"):
        assert world.ask("GET", f"{LEDGER}?{query}", headers=accept).status == 400


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 100])
def test_an_export_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """However the pages fall, each record is there once, and no more than a page is held."""
    monkeypatch.setattr(ledger, "EXPORT_ROWS", rows)
    world = used(6)
    assert [entry["model"] for entry in exported(world)] == [f"sim/{letter}" for letter in "abcdef"]
    [stream] = world.streams.opened
    assert stream.how == "ended"
    assert all(piece.count(b"\n") <= rows for piece in stream.pieces)


def test_records_of_one_moment_are_all_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may end between two of the same time."""
    monkeypatch.setattr(ledger, "EXPORT_ROWS", 2)
    world = new_world()
    for index in range(5):
        call(world, f"sim/{index}")
    assert sorted(entry["model"] for entry in exported(world)) == [f"sim/{index}" for index in range(5)]


@pytest.mark.parametrize("query", ["", "provider=sim"])
def test_a_long_export_says_where_it_goes_on(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """One body asks the store only so often; its last line has the cursor of the next, and together they are whole."""
    monkeypatch.setattr(ledger, "EXPORT_ROWS", 2)
    monkeypatch.setattr(reading, "MOST_QUERIES", 5)
    world, found, bodies = used(20), list[str](), 0
    cursor: str | None = ""
    while cursor is not None:
        bodies += 1
        answer = world.ask("GET", f"{EXPORT}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        *lines, end = map(json.loads, answer.body.splitlines())
        found += [entry["model"] for entry in lines]
        cursor = end["meta"]["next_cursor"]
        assert answer.facts["export"] == ("goes_on" if cursor else "whole")
    assert found == [f"sim/{letter}" for letter in "abcdefghijklmnopqrst"]
    assert bodies > 2


def test_a_cursor_of_the_list_is_none_of_an_export() -> None:
    """They go opposite ways."""
    world = used(3)
    cursor = world.ask("GET", f"{LEDGER}?limit=1").body["meta"]["next_cursor"]
    assert world.ask("GET", f"{EXPORT}?cursor={cursor}").status == 400


@pytest.mark.parametrize("looked_at", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("query", "expected"),
    [("model=sim/b", "b"), ("end_user=user-0", "geca"), ("cause=lost", ""), ("estimated=false", "gfedcba")],
)
def test_what_no_index_knows_is_looked_for_among_so_many(
    monkeypatch: pytest.MonkeyPatch, looked_at: int, query: str, expected: str
) -> None:
    """A page may be short or empty while there is a next one; all pages together, and the export, have everything."""
    monkeypatch.setattr(ledger, "MOST_LOOKED_AT", looked_at)
    world, found, pages = used(7), "", 0
    cursor: str | None = ""
    while cursor is not None:
        answer = world.ask("GET", f"{LEDGER}?limit=2&{query}" + (f"&cursor={cursor}" if cursor else ""))
        found += "".join(entry["model"][-1] for entry in answer.data)
        cursor = answer.body["meta"]["next_cursor"]
        pages += 1
    assert found == expected
    assert pages >= 7 // looked_at
    assert [entry["model"][-1] for entry in exported(world, query)] == list(found[::-1])


def test_an_export_that_the_isolate_has_no_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read: a page of rows is held until a client has taken it, be it slow."""
    world = used(1)
    monkeypatch.setattr(Memory, "has_room", lambda *_: False)
    before = len(world.binding.statements)
    answer = world.ask("GET", EXPORT)
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert not [sql for sql, _ in world.binding.statements[before:] if "FROM usage_records" in sql]
    assert world.ask("GET", LEDGER).status == 200


def test_a_client_that_leaves_ends_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is read for it, and the log tells how far it came."""
    monkeypatch.setattr(ledger, "EXPORT_ROWS", 2)
    world = used(6)
    world.streams.fails_at = 1
    answer = world.ask("GET", EXPORT)
    assert world.streams.opened[0].how == "broken off"
    assert (answer.facts["export"], answer.facts["exported"]) == ("client_gone", 2)


def test_a_store_that_goes_away_breaks_the_export_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an end in order: the client would take the half for the whole."""
    monkeypatch.setattr(ledger, "EXPORT_ROWS", 2)
    world = used(6)
    oldest, asked = ledger.oldest, []

    async def once(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) > 1:
            raise StoreUnavailable("away")
        return await oldest(*arguments)

    monkeypatch.setattr(ledger, "oldest", once)
    answer = world.ask("GET", EXPORT)
    assert answer.status == 200
    assert world.streams.opened[0].how == "broken off"
    assert (answer.facts["export"], answer.facts["exported"], answer.facts["reason"]) == (
        "store_unavailable",
        2,
        "away",
    )


def test_a_defect_breaks_the_export_off_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that can't be shown, say."""
    monkeypatch.setattr(ledger, "EXPORT_ROWS", 2)
    world = used(6)
    world.ask("GET", LEDGER)  # what is settled is in the store now
    world.binding.connection.execute("UPDATE usage_records SET started_at = '2026-05-04Tx' WHERE model = 'sim/f'")
    with pytest.raises(ValueError, match="2026-05-04Tx"):
        world.ask("GET", EXPORT)
    assert world.streams.opened[0].how == "broken off"


def test_a_store_that_is_away_at_the_begin_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and no body is begun."""

    async def away(*_: Any) -> Any:
        raise StoreUnavailable("away")

    monkeypatch.setattr(ledger, "oldest", away)
    world = used(1)
    assert world.ask("GET", EXPORT).status == 503
    assert not world.streams.opened


def test_a_head_begins_no_body() -> None:
    """Nobody would read it."""
    world = used(1)
    answer = world.ask("HEAD", EXPORT)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert not world.streams.opened


@pytest.mark.parametrize("name", ["nothing", new_id(NOW)])
def test_a_record_that_is_not_there(name: str) -> None:
    """404, whatever was asked for."""
    assert used(1).ask("GET", f"{LEDGER}/{name}").status == 404


def test_a_gate_that_is_away_is_told() -> None:
    """A ledger that may lack something is worse than none."""
    world = used(1)
    world.gates.failure = Unavailable("away")
    for method, path in (("GET", LEDGER), ("GET", EXPORT), ("GET", f"{LEDGER}/{new_id(NOW)}")):
        assert world.ask(method, path).status == 503


def test_nobody_sees_the_ledger_of_others() -> None:
    """Not in the list, not by its id, not in the export; and no budget of theirs is compared."""
    world = used(1)
    [entry] = world.ask("GET", LEDGER).data
    world.ask("POST", "/api/v1/budgets", {"scope": {"type": "org"}, "window": "day", "limit_nano_usd": 1})
    other = run(_another_key(world))
    assert world.ask("GET", LEDGER, key=other).data == []
    assert world.ask("GET", f"{LEDGER}/{entry['id']}", key=other).status == 404
    world.ask("GET", EXPORT, key=other)
    assert whole(world.streams.opened[0].native) == []
    assert world.ask("POST", f"{LEDGER}/actions/verify", {}, key=other).data["budgets"] == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", LEDGER), ("GET", EXPORT), ("GET", f"{LEDGER}/x"), ("POST", f"{LEDGER}/actions/verify")]
)
def test_each_needs_the_scope(method: str, path: str) -> None:
    """403 for a key that may only see usage."""
    world = used(1)
    key = world.new_key("usage:read").secret
    answer = world.ask(method, path, {} if method == "POST" else None, key=key)
    assert answer.status == 403
    assert "ledger:read" in answer.error["message"]


async def _another_key(world: World) -> str:
    database = world.parts.database
    return (await seed_key(database, await seed_org(database, "Other"))).secret


def test_the_days_of_records_stay_as_they_were() -> None:
    """`/api/v1/usage/records` shows 30 days where nothing is said; the ledger shows all."""
    world = used(1)
    world.clock.time += timedelta(days=40)
    assert world.ask("GET", "/api/v1/usage/records").data == []
    assert models(world) == ["sim/a"]
