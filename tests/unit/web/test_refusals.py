"""Refused changes are in the audit log: who tried what on what, at a bounded rate, and the refusal stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.access.principal import Principal
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.web.refusals import ACTION, INTERVAL_SECONDS, MOST_REMEMBERED, MOST_ROWS, Refusals, target_of
from tests.unit.fakes import run
from tests.unit.sign_in.members import join, owned
from tests.unit.sign_in.signed_in import Browser, add_user, new_person
from tests.unit.store.seeds import seed_key, seed_org
from tests.unit.world import World, new_world

KEYS, CHAT = "/api/v1/keys", "/v1/chat/completions"
CALL = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
PRINCIPAL = Principal("org", "key", frozenset(), None)


def noted(world: World, table: str = "audit_events") -> list[dict[str, Any]]:
    """Return what is noted of refusals, oldest first."""
    rows = world.binding.rows(f"SELECT * FROM {table} WHERE action = ? ORDER BY seq", ACTION)
    return [row | {"details": json.loads(str(row["details"]))} for row in rows]


def test_a_keys_refusal_says_who_what_which_from_where_and_why() -> None:
    """As the list shows it to who may read the log."""
    world = new_world()
    weak = world.new_key("keys:read")
    answer = world.ask(
        "DELETE",
        f"{KEYS}/{world.key.principal.key_id}",
        key=weak.secret,
        headers={"cf-connecting-ip": "192.0.2.9"},
    )
    assert answer.status == 403
    assert answer.facts["principal"] == weak.principal.actor
    [event] = world.ask("GET", "/api/v1/audit?result=denied").data
    assert {name: event[name] for name in ("action", "actor", "target", "result", "address", "request_id")} == {
        "action": ACTION,
        "actor": weak.principal.actor,
        "target": world.key.principal.actor,
        "result": "denied",
        "address": "192.0.2.9",
        "request_id": answer.error["request_id"],
    }
    assert event["details"] == {
        "method": "DELETE",
        "route": "/api/v1/keys/{id}",
        "error": "permission_denied",
        "message": "This key lacks the scope keys:write.",
    }


def test_what_a_rule_behind_the_permission_refuses_is_noted_too() -> None:
    """A key that would make one that may do more than itself."""
    world = new_world()
    maker = world.new_key("keys:write")
    body = {"name": "x", "scopes": ["budgets:write"]}
    assert world.ask("POST", KEYS, body, key=maker.secret).status == 403
    [event] = noted(world)
    assert (event["actor"], event["target"]) == (maker.principal.actor, None)
    assert "budgets:write" in event["details"]["message"]


@pytest.mark.parametrize("body", [CALL, {**CALL, "stream": True}])
def test_a_call_to_a_model_is_noted(body: object) -> None:
    """It spends: a key that is used for what it is not for may be a lost one."""
    world = new_world()
    weak = world.new_key("keys:read")
    assert world.ask("POST", CHAT, body, key=weak.secret).status == 403
    [event] = noted(world)
    assert (event["actor"], event["details"]["route"]) == (weak.principal.actor, CHAT)


def test_a_member_with_a_token_and_one_with_a_session() -> None:
    """Each by its name as a person."""
    world, _ = owned()
    viewer = join(world, "viewer")
    assert viewer.ask("POST", "teams", {"name": "x"}).status == 403
    [event] = noted(world)
    assert (event["actor"], event["target"]) == (f"user:{viewer.id}", f"org:{world.org_id}")

    world, browser = new_person("viewer")
    assert browser.ask("POST", KEYS, {"name": "x"}).status == 403
    [event] = noted(world)
    assert event["actor"] == f"user:{browser.user_id}"


def test_what_a_person_may_not_do_to_its_own_account_is_in_its_own_log() -> None:
    """Who has found an open session and guesses at its password is seen by the session's owner, not by the others."""
    world, browser = new_person()
    body = {"current_password": "wrong", "new_password": "nine lives for cats"}
    assert browser.ask("POST", "/api/v1/me/actions/change_password", body).status == 403
    assert noted(world) == []
    [event] = noted(world, "person_events")
    assert (event["user_id"], event["result"], event["details"]["error"]) == (
        browser.user_id,
        "denied",
        "wrong_password",
    )


def test_a_key_that_asks_for_what_is_a_persons_own() -> None:
    """That is the organisation's business: the key is its."""
    world = new_world()
    assert world.ask("PATCH", "/api/v1/me", {"name": "x"}).status == 403
    [event] = noted(world)
    assert event["actor"] == world.key.principal.actor


def test_what_is_not_noted() -> None:
    """What only looks; what is not found; who is not known, or belongs nowhere; another page's request."""
    world = new_world()
    weak = world.new_key("chat:write")
    assert world.ask("GET", KEYS, key=weak.secret).status == 403
    assert world.ask("HEAD", KEYS, key=weak.secret).status == 403
    elsewhere = run(seed_org(world.parts.database, "Elsewhere"))
    other = run(seed_key(world.parts.database, elsewhere))
    assert world.ask("DELETE", f"{KEYS}/{weak.principal.key_id}", key=other.secret).status == 404
    assert world.ask("POST", KEYS, {"name": "x"}, key=None).status == 401
    assert join(world, None).ask("POST", KEYS, {"name": "x"}).status == 403
    user = add_user(world, "viewer", "page@example.com")
    browser = Browser.sign_in(world, user.id, email="page@example.com")
    assert browser.ask("POST", KEYS, {"name": "x"}, csrf=None).status == 403
    assert noted(world) + noted(world, "person_events") == []


def test_a_flood_is_one_row_a_minute_which_tells_how_many_there_were() -> None:
    """For each caller and route; the others are noted meanwhile."""
    world = new_world()
    weak, other = world.new_key("keys:read"), world.new_key("keys:read")
    for _ in range(20):
        assert world.ask("POST", KEYS, {"name": "x"}, key=weak.secret).status == 403
    assert len(noted(world)) == 1
    assert world.ask("POST", KEYS, {"name": "x"}, key=other.secret).status == 403
    assert world.ask("POST", "/api/v1/limits", {}, key=weak.secret).status in (400, 403)
    assert world.ask("DELETE", f"{KEYS}/x", key=weak.secret).status == 403
    assert len(noted(world)) == 3
    world.clock.advance(seconds=INTERVAL_SECONDS)
    assert world.ask("POST", KEYS, {"name": "x"}, key=weak.secret).status == 403
    assert noted(world)[-1]["details"]["left_out"] == 19
    assert len(noted(world)) == 4


def test_a_flood_costs_no_writes() -> None:
    """What is left out does not ask the store either."""
    world = new_world()
    weak = world.new_key("keys:read")
    world.ask("POST", KEYS, {"name": "x"}, key=weak.secret)
    world.binding.statements.clear()
    assert world.ask("POST", KEYS, {"name": "x"}, key=weak.secret).status == 403
    assert [sql for sql, _ in world.binding.statements if "audit_events" in sql] == []


def test_it_is_written_when_the_answer_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it: no event is written before there is an answer."""
    world = new_world()
    weak = world.new_key("keys:read")
    seen: list[int] = []
    finished = World._finished

    async def watched(self: World, response: Any) -> Any:
        seen.append(len(noted(self)))
        return await finished(self, response)

    monkeypatch.setattr(World, "_finished", watched)
    assert world.ask("POST", KEYS, {"name": "x"}, key=weak.secret).status == 403
    assert (seen, len(noted(world))) == ([0], 1)


def test_a_store_that_is_away_changes_no_refusal() -> None:
    """403 all the same; the table of failures names it, and a flood does not try again and again."""
    world = new_world()
    weak = world.new_key("keys:read")
    assert world.ask("GET", KEYS, key=weak.secret).status == 200

    def away() -> None:
        if any("audit_events" in sql for sql, _ in world.binding.statements):
            world.binding.failure = "D1_ERROR: Network connection lost"

    world.binding.on_batch = away
    world.binding.statements.clear()
    assert world.ask("POST", KEYS, {"name": "x"}, key=weak.secret).status == 403
    assert failures.counts() == {Failure.REFUSAL_UNNOTED.name.lower(): 1}
    world.binding.statements.clear()
    assert world.ask("POST", KEYS, {"name": "x"}, key=weak.secret).status == 403
    assert failures.counts() == {Failure.REFUSAL_UNNOTED.name.lower(): 1}
    assert noted(world) == []


def test_a_log_takes_so_many_rows_an_interval() -> None:
    """Whoever they are of, and whatever was tried; another log has its own."""
    refusals = Refusals()
    due = [refusals.due("org", f"key:{index}", "POST /x", 5.0) for index in range(MOST_ROWS + 10)]
    assert due == [0] * MOST_ROWS + [None] * 10
    assert refusals.due("other", "key:0", "POST /x", 5.0) == 0
    assert refusals.due("org", "key:new", "POST /x", 5.0 + INTERVAL_SECONDS - 0.001) is None
    assert refusals.due("org", "key:new", "POST /x", 5.0 + INTERVAL_SECONDS) == 0


def test_what_is_over_the_logs_share_is_counted_where_there_was_a_row() -> None:
    """The caller's next row tells of it."""
    refusals = Refusals()
    assert refusals.due("org", "key:a", "POST /x", 0.0) == 0
    for index in range(MOST_ROWS):
        refusals.due("org", f"key:{index}", "POST /x", INTERVAL_SECONDS + 0.0)
    assert refusals.due("org", "key:a", "POST /x", INTERVAL_SECONDS + 1.0) is None
    assert refusals.due("org", "key:a", "POST /x", 2 * INTERVAL_SECONDS + 0.0) == 1


def test_the_memory_is_bounded() -> None:
    """However many come."""
    refusals = Refusals()
    for index in range(MOST_REMEMBERED + 50):
        assert refusals.due(f"org {index}", "key:a", "POST /x", 0.0) == 0
    assert len(refusals._noted) == len(refusals._logs) == MOST_REMEMBERED


@pytest.mark.parametrize(
    ("route", "path", "target"),
    [
        ("/api/v1/keys", {}, None),
        ("/api/v1/keys/{id}", {"id": "k"}, "key:k"),
        ("/api/v1/keys/{id}/actions/rotate", {"id": "k"}, "key:k"),
        ("/api/v1/models/{id:path}", {"id": "a/b:c"}, "model:a/b:c"),
        ("/api/v1/orgs/{id}", {"id": "current"}, "org:org"),
        ("/api/v1/orgs/{id}/members/{member_id}", {"id": "o", "member_id": "m"}, "user:m"),
        ("/api/v1/orgs/{id}/teams/{team_id}/actions/add", {"id": "o", "team_id": "t"}, "team:t"),
        ("/api/v1/budgets/{id}/adjustments/{adjustment_id}", {"id": "b", "adjustment_id": "a"}, "budget:b"),
        ("/api/v1/me/logins/{id}", {"id": "l"}, "login:l"),
        ("/api/v1/keys/{id}", {"id": "a b"}, None),
        ("/api/v1/keys/{id}", {"id": "a\0"}, None),
        ("/api/v1/keys/{id}", {"id": "a\n"}, None),
        ("/api/v1/keys/{id}", {"id": "é"}, None),
        ("/api/v1/keys/{id}", {"id": "a" * 201}, None),
    ],
)
def test_what_a_refusal_was_about(route: str, path: dict[str, str], target: str | None) -> None:
    """Named as other events name it, so that one filter finds both; what a stranger made up is left out."""
    assert target_of(route, path, PRINCIPAL) == target
