"""Where a key comes from: rules follow it, count what it makes, and what leaks ends with all that came of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.keys.lineage import MOST_HOLDERS, MOST_MAKERS
from lib.reconcile import ledger_check
from lib.reconcile.verification import Verdict
from tests.unit.fakes import run
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.sign_in.bound_keys import MINT, PAGE, chat, minted, new_key
from tests.unit.sign_in.members import join
from tests.unit.world import Answer, World, cold, new_world

COST = 9000  # of each call, in nano-dollars
TOLD = json.dumps({"usage": {"prompt_tokens": 10, "completion_tokens": 20}}).encode()
MAKER = ["keys:write", "keys:mint", "chat:write"]


def scene() -> World:
    world = new_world()
    world.upstream.script = [FakeAnswer(pieces=[TOLD])]
    return world


def call(world: World, key: Any) -> int:
    origin = PAGE if key["kind"] == "browser" else None
    return chat(world, key["secret"], origin=origin, max_tokens=20).status


def rule(world: World, kind: str, scope: dict[str, str], **fields: Any) -> Any:
    answer = world.ask("POST", f"/api/v1/{kind}", {"scope": {"type": "key"} | scope, **fields})
    assert answer.status == 201, answer.body
    return answer.data


def requests(world: World, scope: dict[str, str], most: int) -> Any:
    return rule(world, "limits", scope, unit="requests", limit=most, window_seconds=86_400)


def rotated(world: World, key: Any, by: Any = None, overlap: int = 3600) -> Any:
    path = f"/api/v1/keys/{key['id']}/actions/rotate"
    answer = world.ask("POST", path, {"overlap_seconds": overlap}, key=(by or {"secret": ""})["secret"])
    assert answer.status == 201, answer.body
    return answer.data


def made_with(world: World, maker: Any, **fields: Any) -> Any:
    return new_key(world, maker["secret"], scopes=MAKER, **fields)


def test_a_rule_follows_its_key_with_what_it_has_counted() -> None:
    """A limit and a budget, for one key and for each: rotating gives nothing anew, and both of an overlap count."""
    world = scene()
    key, other = new_key(world), new_key(world)
    limit = requests(world, {"id": key["id"]}, 3)
    each = requests(world, {"id": "*"}, 4)
    budget = rule(world, "budgets", {"id": key["id"]}, window="total", limit_nano_usd=10**9)
    assert call(world, key) == 200
    new = rotated(world, key)
    assert call(world, new) == 200
    newest = rotated(world, new)
    assert [call(world, one) for one in (key, newest, new, key)] == [200, 429, 429, 429]
    for kind, made in (("limits", limit), ("budgets", budget)):
        shown = world.ask("GET", f"/api/v1/{kind}/{made['id']}")
        assert (shown.data["scope"]["id"], shown.headers["etag"]) == (newest["id"], '"3"')
    assert world.ask("DELETE", f"/api/v1/limits/{limit['id']}").status == 204
    assert [call(world, one) for one in (new, newest, key, other)] == [200, 429, 429, 200]
    assert world.ask("DELETE", f"/api/v1/limits/{each['id']}").status == 204
    told = run(world.gates.accounts(world.org_id, budget["id"], "", 9))
    assert told is not None
    assert [(one.used, one.reserved) for one in told.spent] == [(4 * COST, 0)]


def test_a_rule_is_made_for_the_newest_key_of_a_line() -> None:
    """It counts for the others; for one that has been replaced none is made that nobody would find again."""
    world = scene()
    key = new_key(world)
    new = rotated(world, key)
    scope = {"type": "key", "id": key["id"]}
    refused = world.ask("POST", "/api/v1/budgets", {"scope": scope, "window": "total", "limit_nano_usd": 1})
    assert (refused.status, refused.error["code"]) == (422, "key_replaced")
    assert new["id"] in refused.error["message"]
    requests(world, {"id": new["id"]}, 1)
    assert [call(world, one) for one in (key, new)] == [200, 429]


def test_what_a_key_makes_counts_on_its_rules() -> None:
    """Also what that makes, by whomever it was rotated, and in an isolate that knows the key from KV alone."""
    world = scene()
    maker, stranger = new_key(world, scopes=MAKER), new_key(world)
    requests(world, {"id": maker["id"]}, 5)
    child = made_with(world, maker)
    grandchild = made_with(world, rotated(world, child))
    browser = minted(world, rotated(world, grandchild)["secret"])
    assert [call(world, key) for key in (maker, child, grandchild, rotated(world, maker), browser)] == [200] * 5
    cold(world)
    for key in (browser, grandchild, child, maker):
        assert call(world, key) == 429
        assert call(world, key) == 429  # as is remembered of the first
    assert call(world, stranger) == 200


def test_each_key_by_itself_counts_what_it_has_minted_and_not_what_it_has_made() -> None:
    """A browser's key is its minter's by another hand; who makes keys for all has not a single key's amount for all."""
    world = scene()
    maker = new_key(world, scopes=MAKER)
    requests(world, {"id": "*"}, 2)
    child, browsers = made_with(world, maker), [minted(world, maker["secret"]) for _ in range(2)]
    assert [call(world, key) for key in (*browsers, maker, browsers[0])] == [200, 200, 429, 429]
    assert [call(world, child) for _ in range(3)] == [200, 200, 429]


def test_a_person_is_no_maker() -> None:
    """Rules for people count its keys: those of whoever makes keys for all must not be one key's."""
    world = scene()
    admin = join(world, "admin")
    keys = [admin.ask("POST", "/api/v1/keys", {"name": "k"}).data for _ in range(2)]
    requests(world, {"id": "*"}, 1)
    assert [call(world, key) for key in (*keys, keys[0])] == [200, 200, 429]


@pytest.mark.parametrize("scope", [{"id": "maker"}, {"id": "*"}], ids=str)
@pytest.mark.parametrize("window", ["total", "day", "rolling:3600"])
@pytest.mark.parametrize("later", [0, 90])
def test_the_ledger_says_what_counters_of_lines_do(scope: dict[str, str], window: str, later: int) -> None:
    """Counter = ledger, with rotated, made and minted keys: right after a budget was made, and later."""
    world = scene()
    maker = new_key(world, scopes=MAKER)
    ids = {"maker": maker["id"], "*": "*"}
    budget = rule(world, "budgets", {"id": ids[scope["id"]]}, window=window, limit_nano_usd=10**12)
    world.clock.advance(seconds=later)
    keys = [maker, rotated(world, maker), made_with(world, maker), minted(world, maker["secret"]), new_key(world)]
    assert [call(world, key) for key in keys] == [200] * 5
    [check] = [one for one in run(ledger_check.check_organisation(world.parts, world.org_id)).budgets
               if one.row.id == budget["id"]]  # fmt: skip
    counted = {"maker": 4, "*": 3 + 1 + 1 + 1}[scope["id"]] * COST
    assert (check.verdict, check.spent, check.least, check.most) == (Verdict.AGREES, counted, counted, counted)


def test_a_line_of_makers_has_an_end() -> None:
    """Its path is sent with each call."""
    world = scene()
    key = new_key(world, scopes=MAKER)
    for _ in range(MOST_MAKERS - 1):
        key = made_with(world, key)
    refused = [
        world.ask("POST", path, body, key=key["secret"])
        for path, body in (
            ("/api/v1/keys", {"name": "x", "scopes": ["chat:write"]}),
            ("/api/v1/keys/actions/mint", MINT),
        )
    ]
    assert [(answer.status, answer.error["code"]) for answer in refused] == [(422, "too_many_makers")] * 2


def alive(world: World, keys: list[Any]) -> list[bool]:
    return [call(world, key) == 200 for key in keys]


def report(world: World, key: Any) -> Answer:
    return world.ask("POST", "/api/v1/keys/actions/report_leak", {"key": key["secret"]}, key=None)


def family(world: World) -> tuple[list[Any], Any, list[Any]]:
    """Return what a thief of a key has made with it, the key, and what others have."""
    maker = new_key(world, scopes=MAKER)
    own = rotated(world, maker, maker)
    child = made_with(world, maker)
    stolen = made_with(world, own)
    browsers = [minted(world, key["secret"]) for key in (own, stolen)]
    of_thief = [own, child, stolen, rotated(world, stolen, stolen), rotated(world, own, own), *browsers]
    saved = rotated(world, child)  # by the operator: nobody else has seen it
    return of_thief, maker, [saved, minted(world), new_key(world), minted(world, saved["secret"])]


def test_a_leak_ends_all_that_was_made_with_the_key() -> None:
    """Made, minted, rotated with itself, and what those made; at once. Not what somebody else has made meanwhile."""
    world = scene()
    of_thief, maker, others = family(world)
    assert alive(world, [*of_thief, maker, *others]) == [True] * 12
    changes = len(world.gates.changes)
    assert report(world, maker).status == 204
    assert len(world.gates.changes) == changes + 1
    assert alive(world, [*of_thief, maker]) == [False] * 8
    assert alive(world, others) == [True] * 4


@pytest.mark.parametrize(
    ("query", "lives"),
    [("", [True, False]), ("?descendants=keep", [True, True]), ("?descendants=revoke", [False, False])],
)
def test_revoking_says_what_ends_with_a_key(query: str, lives: list[bool]) -> None:
    """What it has minted, where nothing is said: a server that is rotated goes on with its other keys."""
    world = scene()
    maker = new_key(world, scopes=MAKER)
    child, browser, other = made_with(world, maker), minted(world, maker["secret"]), new_key(world)
    grandchild = minted(world, child["secret"])
    assert world.ask("DELETE", f"/api/v1/keys/{maker['id']}{query}").status == 204
    assert alive(world, [child, browser, maker, other, grandchild]) == [*lives, False, True, lives[0]]
    [event] = world.binding.rows("SELECT details FROM audit_events WHERE action = 'key.revoked'")
    assert json.loads(str(event["details"]))["descendants"] == (query.partition("=")[2] or "minted")


def test_what_ends_with_a_key_has_a_name() -> None:
    """And no other is taken: a typo must not keep what was to end."""
    world = scene()
    key = new_key(world)
    for query in ("descendants=minted", "descendants=all", "descendants=", "descendant=keep"):
        assert world.ask("DELETE", f"/api/v1/keys/{key['id']}?{query}").status == 400
    assert call(world, key) == 200


def test_whoever_rotates_on_and_on_does_not_get_away() -> None:
    """A thief that rotates the key with itself often, or two keys with each other in turn."""
    world = scene()
    first = key = new_key(world, scopes=MAKER)
    for _ in range(MOST_HOLDERS + 5):
        key = rotated(world, key, key)
    a, b = made_with(world, key), made_with(world, key)
    for _ in range(MOST_HOLDERS):
        path = f"/api/v1/keys/{b['id']}/actions/rotate"
        answer = world.ask("POST", path, {}, key=a["secret"])
        if answer.status != 201:
            assert answer.error["code"] == "too_many_makers"
            break
        a, b = answer.data, a
    else:
        pytest.fail("the line of holders has no end")
    assert alive(world, [key, a, b]) == [True] * 3
    report(world, first)
    assert alive(world, [key, a, b]) == [False] * 3


def test_nothing_is_made_with_a_key_that_was_revoked_a_moment_ago() -> None:
    """Between its look-up and the write: what is made then would not end with it."""
    world = scene()
    target = new_key(world)
    for path, body in (
        ("/api/v1/keys", {"name": "x"}),
        ("/api/v1/keys/actions/mint", MINT),
        (f"/api/v1/keys/{target['id']}/actions/rotate", {}),
    ):
        maker = new_key(world, scopes=["members:write", *MAKER, "embeddings:write", "models:read"])
        before = _kept(world, maker)

        def revoke(maker_id: str = maker["id"]) -> None:
            if "INSERT INTO api_keys" in str(world.binding.statements[-8:]):
                sql = "UPDATE api_keys SET revoked_at = created_at WHERE id = ?"
                world.binding.connection.execute(sql, (maker_id,))

        world.binding.statements.clear()
        world.binding.on_batch = revoke
        answer = world.ask("POST", path, body, key=maker["secret"])
        world.binding.on_batch = lambda: None
        assert answer.status in {409, 422}, answer.body
        assert _kept(world, maker) == before


def _kept(world: World, maker: Any) -> list[object]:
    """Return all keys but one, and how many budgets and events there are."""
    keys = world.binding.rows("SELECT id, version FROM api_keys WHERE id <> ?", maker["id"])
    return [keys, *(len(world.binding.rows(f"SELECT id FROM {table}")) for table in ("budgets", "audit_events"))]
