"""Rules of teams, and what their members do, signed in or with keys of their own."""

from __future__ import annotations

from typing import Any

import pytest

from lib.reconcile import ledger_check
from lib.reconcile.verification import Verdict
from tests.unit.fakes import run
from tests.unit.sign_in.bound_keys import chat, new_key, new_team
from tests.unit.sign_in.members import join
from tests.unit.world import World, new_world

RULES: dict[str, dict[str, Any]] = {
    "limits": {"unit": "requests", "limit": 2, "window_seconds": 60},
    "budgets": {"window": "total", "limit_nano_usd": 10**12},
}


def make(world: World, kind: str, scope: dict[str, str], **more: Any) -> Any:
    return world.ask("POST", f"/api/v1/{kind}", {"scope": scope, **RULES[kind], **more})


@pytest.mark.parametrize("which", ["one", "*"])
def test_a_members_own_calls_count_where_the_rule_says_so(which: str) -> None:
    """With the keys of the team, on every team that the member is in; not on others, and not by default."""
    world = new_world()
    ann, bob = join(world, "developer", "ann@a.example"), join(world, "developer", "bob@a.example")
    team, _ = new_team(world, ann.id), new_team(world, ann.id, bob.id)
    key = new_key(world, team_id=team)
    scope = {"type": "team", "id": team if which == "one" else "*"}
    assert make(world, "limits", scope).data["covers"] == "keys"
    assert [chat(world, ann.token).status for _ in range(3)] == [200] * 3
    made = make(world, "limits", scope, covers="members")
    assert (made.status, made.data["covers"]) == (201, "members")
    callers = (ann.token, key["secret"], ann.token, key["secret"])
    assert [chat(world, one).status for one in callers] == [200, 200, 429, 429]
    assert chat(world, bob.token).status == 200
    assert chat(world, bob.token).status == (
        200 if which == "one" else 429
    )  # ann's call counted for the other team too
    path = f"/api/v1/orgs/{world.org_id}/teams/{team}/actions/remove"
    assert world.ask("POST", path, {"user_id": ann.id}).status == 200
    assert chat(world, ann.token).status == (200 if which == "one" else 429)


@pytest.mark.parametrize("kind", RULES)
def test_a_members_own_keys_count_too(kind: str) -> None:
    """From the answer on: of the rule, of coming into the team and of leaving it. Nobody's key in no team is free."""
    world = new_world()
    ann = join(world, "developer", "ann@a.example")
    team, other = new_team(world), new_team(world, ann.id)
    own = new_key(world, key=ann.token)
    keys = (own, new_key(world, key=ann.token, team_id=other), new_key(world))
    tight: dict[str, Any] = {"limit": 1} if kind == "limits" else {"limit_nano_usd": 1, "mode": "hard"}
    refused = 429 if kind == "limits" else 402

    def statuses() -> list[int]:
        return [chat(world, key["secret"]).status for key in keys]

    assert statuses() == [200, 200, 200]  # the isolate knows them by now
    rule = make(world, kind, {"type": "team", "id": team}, covers="members", **tight).data
    assert statuses() == [200, 200, 200]
    path = f"/api/v1/orgs/{world.org_id}/teams/{team}/actions/"
    assert world.ask("POST", path + "add", {"user_id": ann.id}).status == 200
    assert statuses() == [200 if kind == "limits" else refused, refused, 200]
    explained = world.ask(
        "POST", "/api/v1/budgets/actions/explain", {"model": "sim/chat", "key_id": own["id"], "input_tokens": 9}
    )
    assert explained.data["rule_id"] == rule["id"]
    assert world.ask("POST", path + "remove", {"user_id": ann.id}).status == 200
    assert statuses() == [200, 200, 200]
    assert world.ask("POST", path + "add", {"user_id": ann.id}).status == 200
    assert statuses() == [refused, refused, 200]
    assert world.ask("DELETE", f"/api/v1/{kind}/{rule['id']}", headers={"if-match": "*"}).status == 204
    assert statuses() == [200, 200, 200]


def test_a_key_in_a_team_counts_once_for_it() -> None:
    """Also where its person is in the team; and once on each other team that its person is in."""
    world = new_world()
    ann = join(world, "developer", "ann@a.example")
    team, other = new_team(world, ann.id), new_team(world, ann.id)
    key = new_key(world, key=ann.token, team_id=team)
    make(world, "limits", {"type": "team", "id": "*"}, covers="members")
    assert [chat(world, key["secret"]).status for _ in range(3)] == [200, 200, 429]
    elsewhere = new_key(world, team_id=other)
    assert chat(world, elsewhere["secret"]).status == 429


def test_only_a_teams_rule_says_what_it_covers() -> None:
    """And shows it; others show nothing."""
    world = new_world()
    team = new_team(world)
    for kind in RULES:
        for scope in ({"type": "org"}, {"type": "user", "id": "*"}, {"type": "key", "id": "*"}):
            assert make(world, kind, scope, covers="members").status == 422
            assert make(world, kind, scope).data["covers"] is None
        assert make(world, kind, {"type": "team", "id": team}, covers="all").status == 400
        made = make(world, kind, {"type": "team", "id": team}, covers="members")
        assert world.ask("GET", f"/api/v1/{kind}/{made.data['id']}").data["covers"] == "members"


def test_the_ledger_does_not_say_what_counted_for_a_team() -> None:
    """So such a budget's counter is neither right nor wrong to it."""
    world = new_world()
    make(world, "budgets", {"type": "team", "id": "*"}, covers="members")
    [check] = run(ledger_check.check_organisation(world.parts, world.org_id)).budgets
    assert check.verdict is Verdict.UNVERIFIABLE
