"""What an organisation's keys and people change is in its audit log: once, and only if it happened."""

from __future__ import annotations

from typing import Any

import pytest

from lib.audit.chain import Finding
from tests.unit.sign_in.bound_keys import MINT
from tests.unit.world import World, new_world
from tools.verify_audit import examine

KEYS, LIMITS, BUDGETS, MODEL = "/api/v1/keys", "/api/v1/limits", "/api/v1/budgets", "/api/v1/models/m"
ORG = {"type": "org"}
LIMIT = {"scope": ORG, "unit": "requests", "limit": 5, "window_seconds": 60}
BUDGET = {"scope": ORG, "window": "total", "limit_nano_usd": 1_000}


def noted(world: World) -> list[tuple[str, str | None]]:
    """Return what was done to what, and see that it was us, from where, in a chain that is whole."""
    report = examine(world.binding, "d1", world.parts.config.secret)  # type: ignore[arg-type]
    rows = world.binding.rows("SELECT * FROM audit_events WHERE org_id = ? ORDER BY seq", world.org_id)
    assert {flaw.finding for flaw in report.flaws} <= {Finding.EMPTIED}, "the world's own log has no first row"
    assert [report.heads["audit_events"][world.org_id].seq] * bool(rows) == [len(rows)] * bool(rows), "all are linked"
    assert {(row["actor"], row["address"], row["result"]) for row in rows} <= {
        (f"key:{world.key.principal.key_id}", "192.0.2.1", "ok")
    }
    return [(str(row["action"]), row["target"]) for row in rows]  # type: ignore[misc]


def ask(world: World, method: str, path: str, body: Any = None, etag: str | None = None) -> Any:
    headers = {"cf-connecting-ip": "192.0.2.1"} | ({"if-match": etag} if etag else {})
    answer = world.ask(method, path, body, headers=headers)
    assert answer.status in (200, 201, 204, 412), answer.body
    return answer


def test_keys() -> None:
    """Made, changed, rotated, revoked; a second revocation changes nothing."""
    world = new_world()
    made = ask(world, "POST", KEYS, {"name": "x"})
    key = made.data["id"]
    ask(world, "PATCH", f"{KEYS}/{key}", {"name": "y"}, made.headers["etag"])
    assert ask(world, "PATCH", f"{KEYS}/{key}", {"name": "z"}, made.headers["etag"]).status == 412
    new = ask(world, "POST", f"{KEYS}/{key}/actions/rotate", {"overlap_seconds": 60}).data["id"]
    for _ in range(2):
        ask(world, "DELETE", f"{KEYS}/{new}")
    target, successor = f"key:{key}", f"key:{new}"
    assert noted(world) == [
        ("key.created", target),
        ("key.updated", target),
        ("key.rotated", target),
        ("key.revoked", successor),
    ]
    text = str(world.binding.rows("SELECT * FROM audit_events"))
    assert made.data["secret"] not in text


@pytest.mark.parametrize(
    ("kind", "path", "new", "change"),
    [("limit", LIMITS, LIMIT, {"limit": 6}), ("budget", BUDGETS, BUDGET, {"limit_nano_usd": 2_000})],
)
def test_rules(kind: str, path: str, new: dict[str, Any], change: dict[str, Any]) -> None:
    """Made, changed, deleted; who was too late has changed nothing."""
    world = new_world()
    made = ask(world, "POST", path, new)
    own, etag = f"{path}/{made.data['id']}", made.headers["etag"]
    ask(world, "PATCH", own, change, etag)
    assert ask(world, "PATCH", own, change, etag).status == 412
    assert ask(world, "DELETE", own, etag=etag).status == 412
    ask(world, "DELETE", own)
    target = f"{kind}:{made.data['id']}"
    assert noted(world) == [(f"{kind}.{done}", target) for done in ("created", "updated", "deleted")]


def test_a_key_for_a_browser() -> None:
    """Minted; one that is refused is not noted."""
    world = new_world()
    minted = ask(world, "POST", f"{KEYS}/actions/mint", MINT).data["id"]
    assert world.ask("POST", f"{KEYS}/actions/mint", MINT | {"scopes": ["keys:write"]}).status == 422
    assert noted(world) == [("key.minted", f"key:{minted}")]


def test_adjustments() -> None:
    """Of a budget: made and taken back."""
    world = new_world()
    budget = ask(world, "POST", BUDGETS, BUDGET).data["id"]
    path = f"{BUDGETS}/{budget}/adjustments"
    made = ask(world, "POST", path, {"kind": "top_up", "amount_nano_usd": 5}).data["id"]
    ask(world, "DELETE", f"{path}/{made}")
    target = f"budget:{budget}"
    assert noted(world)[1:] == [("budget.adjusted", target), ("budget.adjustment_deleted", target)]


def test_models() -> None:
    """Put with and without conditions, deleted; a condition that does not hold changes nothing."""
    world = new_world()
    body = {"provider": "sim", "upstream_model": "chat"}
    made = world.ask("PUT", MODEL, body, headers={"cf-connecting-ip": "192.0.2.1", "if-none-match": "*"})
    assert made.status == 201
    ask(world, "PUT", MODEL, body)
    assert ask(world, "PUT", MODEL, body, made.headers["etag"]).status == 412
    again = ask(world, "GET", MODEL)
    ask(world, "PUT", MODEL, body, again.headers["etag"])
    ask(world, "DELETE", MODEL)
    assert noted(world) == [("model.put", "model:m")] * 3 + [("model.deleted", "model:m")]


def test_the_organisation_itself() -> None:
    """Its name and its time zone."""
    world = new_world()
    shown = ask(world, "GET", "/api/v1/orgs/current")
    ask(world, "PATCH", "/api/v1/orgs/current", {"name": "Other"}, shown.headers["etag"])
    assert noted(world) == [("org.updated", f"org:{world.org_id}")]
