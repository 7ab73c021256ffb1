"""The audit log says the old and the new of each field, for whatever is made, changed and deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lib.audit.differences import PERSONAL
from routes import ROUTES
from tests.unit.sign_in.members import Caller, join, owned
from tests.unit.world import World

ORG = {"type": "org"}
PRICE = {"input_nano_usd_per_token": 1, "output_nano_usd_per_token": 2}
MODEL = {"provider": "sim", "upstream_model": "chat"}
ORG_PATH, API = "/api/v1/orgs/{id}", "/api/v1/"


def made(path: str, body: dict[str, Any]) -> Callable[[World, Caller], str]:
    """Return what makes something, and returns where it stands."""

    def make(_world: World, owner: Caller) -> str:
        answer = owner.ask("POST", path, body, **{"if-match": ""})
        assert answer.status == 201, answer.body
        return f"{path}/{answer.data['id']}"

    return make


def model(_world: World, owner: Caller) -> str:
    """Put a model with a price; return where it stands."""
    path = f"{API}models/m"
    answer = owner.world.ask("PUT", path, MODEL | {"price": PRICE}, key=owner.token)
    assert answer.status == 201, answer.body
    return path


def member(world: World, _owner: Caller) -> str:
    return f"members/{join(world, 'viewer').id}"


def adjustment(world: World, owner: Caller) -> str:
    budget = made(f"{API}budgets", {"scope": ORG, "window": "total", "limit_nano_usd": 9})(world, owner)
    return made(f"{budget}/adjustments", {"kind": "top_up", "amount_nano_usd": 5, "note": "n"})(world, owner)


def itself(path: str) -> Callable[[World, Caller], str]:
    return lambda _world, _owner: path


BUDGET = made(f"{API}budgets", {"scope": ORG, "window": "total", "limit_nano_usd": 9})
LIMIT = made(f"{API}limits", {"scope": ORG, "unit": "requests", "limit": 5, "window_seconds": 60})
KEY = made(f"{API}keys", {"name": "x", "scopes": ["chat:write"], "models": ["a", "b"]})
ROLE = made("roles", {"name": "r", "permissions": ["keys:read"]})
INVITATION = made("invitations", {"email": "z@example.com", "role": "viewer"})
# Route, what makes the thing, the body of the change, and what of it the log says.
CASES: list[tuple[str, Callable[[World, Caller], str], Any, dict[str, Any]]] = [
    ("PATCH /api/v1/budgets/{id}", BUDGET, {"limit_nano_usd": 10}, {"limit_nano_usd": (9, 10)}),
    ("PATCH /api/v1/budgets/{id}", BUDGET, {"mode": "soft"}, {"mode": ("hard", "soft")}),
    ("PATCH /api/v1/limits/{id}", LIMIT, {"limit": 6, "burst": 7}, {"limit": (5, 6), "burst": (None, 7)}),
    ("PATCH /api/v1/keys/{id}", KEY, {"name": "y", "models": ["c"]}, {"name": ("x", "y"), "models": ("a b", "c")}),
    ("PUT /api/v1/models/{id:path}", model, MODEL | {"upstream_model": "long"},
     {"upstream_model": ("chat", "long"), "price.input": (1, None), "price.output": (2, None)}),
    (f"PATCH {ORG_PATH}", itself(f"{API}orgs/current"), {"time_zone": "Asia/Tokyo"},
     {"time_zone": ("UTC", "Asia/Tokyo")}),
    (f"PATCH {ORG_PATH}/members/{{member_id}}", member, {"role": "billing"}, {"role": ("viewer", "billing")}),
    (f"PATCH {ORG_PATH}/roles/{{role_id}}", ROLE, {"permissions": ["keys:read", "keys:write"]},
     {"permissions": ("keys:read", "keys:read keys:write")}),
    (f"PATCH {ORG_PATH}/teams/{{team_id}}", made("teams", {"name": "a"}), {"name": "b"}, {"name": ("a", "b")}),
    ("PATCH /api/v1/me", itself(f"{API}me"), {"name": "New"}, {"name": (PERSONAL, PERSONAL)}),
    ("DELETE /api/v1/budgets/{id}", BUDGET, None, {"limit_nano_usd": (9,), "window": ("total",), "mode": ("hard",)}),
    ("DELETE /api/v1/limits/{id}", LIMIT, None, {"limit": (5,), "unit": ("requests",), "scope.type": ("org",)}),
    ("DELETE /api/v1/keys/{id}", KEY, None, {"name": ("x",), "scopes": ("chat:write",), "models": ("a b",)}),
    ("DELETE /api/v1/models/{id:path}", model, None, {"provider": ("sim",), "price.output": (2,)}),
    ("DELETE /api/v1/budgets/{id}/adjustments/{adjustment_id}", adjustment, None,
     {"amount_nano_usd": (5,), "note": ("n",)}),
    (f"DELETE {ORG_PATH}/members/{{member_id}}", member, None, {"role": ("viewer",)}),
    (f"DELETE {ORG_PATH}/roles/{{role_id}}", ROLE, None, {"permissions": ("keys:read",)}),
    (f"DELETE {ORG_PATH}/teams/{{team_id}}", made("teams", {"name": "a"}), None, {"name": ("a",)}),
    (f"DELETE {ORG_PATH}/invitations/{{invitation_id}}", INVITATION, None, {"role": ("viewer",)}),
]  # fmt: skip
# A person's own sessions, tokens, ways in and account: where they end the event names them, and nobody changes fields.
WITHOUT_FIELDS = ("PATCH /api/v1/sessions", "DELETE /api/v1/sessions", "DELETE /api/v1/tokens", "DELETE /api/v1/me")


@pytest.mark.parametrize(("route", "make", "body", "changes"), CASES, ids=[case[0] for case in CASES])
def test_each_change_says_old_and_new(
    route: str, make: Callable[[World, Caller], str], body: Any, changes: dict[str, Any]
) -> None:
    world, owner = owned()
    place = make(world, owner)
    answer = owner.ask(route.partition(" ")[0], place, body)
    assert answer.status in (200, 204), answer.body
    table = "person_events" if place.endswith("/me") else "audit_events"
    told = json.loads(str(world.binding.rows(f"SELECT details FROM {table} ORDER BY seq DESC LIMIT 1")[0]["details"]))
    found = {name: tuple(each.values()) for name, each in told["changes"].items()}
    if body is None:
        assert {name: found.get(name) for name in changes} == changes
        assert all(set(each) == {"old"} for each in told["changes"].values())
    else:
        assert found == changes


def test_no_route_that_changes_something_is_left_out() -> None:
    changing = {f"{route.method} {route.path}" for route in ROUTES if route.method in ("PATCH", "PUT", "DELETE")}
    assert {each for each in changing if not each.startswith(WITHOUT_FIELDS)} == {route for route, *_ in CASES}
