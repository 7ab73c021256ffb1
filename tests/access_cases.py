"""Every route as somebody would call it, for the tests that try each of them as each kind of caller.

A route that is added without a place or a body here fails them: nothing is left out by forgetting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lib.access.policy import PERMISSIONS, Role
from lib.web.route import Route
from routes import ROUTES

Json = dict[str, Any]
# Send a request as the caller that may do everything in the organisation: (method, path, body) → (status, answer).
Ask = Callable[[str, str, Json | None], tuple[int, Any]]

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}
NOBODY = {"type": "end_user", "id": "access-test-nobody"}  # who never calls: rules about them are in nobody's way
LIMIT = {"scope": NOBODY, "unit": "concurrent", "limit": 1}
BUDGET = {"scope": NOBODY, "window": "total", "limit_nano_usd": 5}
TOP_UP = {"kind": "top_up", "amount_nano_usd": 1}
MODEL = {"provider": "sim", "upstream_model": "chat"}
MODEL_NAME = "access-test"
PASSWORD = "nine lives for cats"
# Well formed, and of nobody.
STRANGE_TOKEN = {"token": "hgi_" + "x" * 38}

# The bodies of requests by method and path; those of all others are empty.
BODIES: Mapping[str, Json] = {
    "POST /v1/chat/completions": CHAT,
    "POST /v1/embeddings": {"model": "sim/embed", "input": "x"},
    "POST /api/v1/orgs": {"name": "Another"},
    "PATCH /api/v1/orgs/{id}": {"name": "Renamed"},
    "PATCH /api/v1/orgs/{id}/members/{member_id}": {"role": "viewer"},
    "POST /api/v1/orgs/{id}/invitations": {"email": "new@example.com", "role": "viewer"},
    "POST /api/v1/invitations/actions/accept": STRANGE_TOKEN,
    "POST /api/v1/orgs/{id}/roles": {"name": "Another", "permissions": []},
    "PATCH /api/v1/orgs/{id}/roles/{role_id}": {"name": "Renamed"},
    "POST /api/v1/orgs/{id}/teams": {"name": "Another"},
    "PATCH /api/v1/orgs/{id}/teams/{team_id}": {"name": "Renamed"},
    "POST /api/v1/orgs/{id}/teams/{team_id}/actions/add": {"user_id": "{member_id}"},
    "POST /api/v1/orgs/{id}/teams/{team_id}/actions/remove": {"user_id": "{member_id}"},
    "POST /api/v1/keys": {"name": "x", "scopes": ["keys:write"]},
    "PATCH /api/v1/keys/{id}": {"name": "Renamed"},
    "POST /api/v1/keys/actions/mint": {
        "end_user": "x",
        "minutes": 1,
        "budget_nano_usd": 1,
        "models": ["x"],
        "origins": ["https://a.example"],
        "scopes": ["chat:write"],
    },
    "PUT /api/v1/models/{id:path}": MODEL,
    "POST /api/v1/limits": LIMIT,
    "PATCH /api/v1/limits/{id}": {"limit": 2},
    "POST /api/v1/budgets": BUDGET,
    "PATCH /api/v1/budgets/{id}": {"limit_nano_usd": 6},
    "POST /api/v1/budgets/{id}/adjustments": TOP_UP,
    "POST /api/v1/budgets/actions/explain": {"model": "sim/chat", "input_tokens": 1},
    "PATCH /api/v1/me": {"name": "Renamed"},
    "DELETE /api/v1/me": {"password": PASSWORD},
    "DELETE /api/v1/sessions/{id}": {"password": PASSWORD},
    "POST /api/v1/me/actions/change_password": {"current_password": PASSWORD, "new_password": "ten lives for a cat"},
    "POST /api/v1/me/actions/change_email": {"email": "renamed@example.com", "password": PASSWORD},
    "POST /api/v1/me/actions/begin_totp": {"password": PASSWORD},
    "POST /api/v1/me/actions/confirm_totp": {"code": "123456"},
    "POST /api/v1/me/actions/disable_totp": {"password": PASSWORD, "code": "123456"},
    "POST /api/v1/me/logins": {"provider": "nowhere", "password": PASSWORD},
    "POST /api/v1/users": {"email": "new@example.com", "password": PASSWORD, "name": "New"},
    "POST /api/v1/users/actions/verify_email": {"token": "x"},
    "POST /api/v1/users/actions/stop_email_change": {"token": "x"},
    "POST /api/v1/users/actions/request_password_reset": {"email": "nobody@example.com"},
    "POST /api/v1/users/actions/reset_password": {"token": "x", "password": PASSWORD},
    "POST /api/v1/tokens": {"grant_type": "refresh_token", "refresh_token": "x"},
    "POST /api/v1/sessions": {"email": "nobody@example.com", "password": "x"},
    "PATCH /api/v1/sessions/current": {"org_id": "{org_id}"},
}

# What a caller gets that the policy lets through, where that is not a success: the route's own business.
BUSINESS: Mapping[str, tuple[int, str]] = {
    "POST /api/v1/invitations/actions/accept": (404, "nobody has that invitation"),
    "GET /api/v1/sessions/current": (401, "the caller has signed in with a token, and has no session"),
    "PATCH /api/v1/sessions/current": (401, "the same"),
    "DELETE /api/v1/sessions/current": (401, "the same"),
    "POST /api/v1/me/actions/confirm_totp": (409, "nothing was begun"),
    "POST /api/v1/me/actions/disable_totp": (409, "there is none"),
    "POST /api/v1/me/logins": (401, "the caller has signed in with a token, and has no session"),
    "DELETE /api/v1/me/logins/{id}": (404, "nobody here signs in with another provider"),
}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


@dataclass(frozen=True)
class Things:
    """One thing of each kind in an organisation, by the first word of its path."""

    org_id: str
    member_id: str
    ids: Mapping[str, str]

    def path(self, route: Route) -> str:
        """Return where a route leads for these things. Raises KeyError for one that nobody has thought of."""
        below = route.path.removeprefix("/api/v1").removeprefix("/operator")
        [_, first, *_] = below.split("/") if "{" in route.path else ["", ""]
        own = {"id": first, "model": first}

        def place(found: re.Match[str]) -> str:
            word = found[1]
            return self.member_id if word == "member_id" else self.ids[own.get(word, word)]

        return re.sub(r"\{(\w+)(?::path)?\}", place, route.path)

    def body(self, route: Route) -> Json | None:
        """Return what a request carries."""
        if route.body is None:
            return None
        words = {"{member_id}": self.member_id, "{org_id}": self.org_id}
        return {name: words.get(str(value), value) for name, value in BODIES.get(name_of(route), {}).items()}

    def texts(self) -> set[str]:
        """Return what nobody else may get to see."""
        return {self.org_id, *self.ids.values()} - {"all", "sim/chat", MODEL_NAME}


def make_things(ask: Ask, org_id: str, member_id: str, invitation_id: str, mark: str = "") -> Things:
    """Make one thing of each kind. `mark` is for names that an organisation gives once."""

    def made(path: str, body: Json) -> str:
        status, answer = ask("POST", path, body)
        assert status == 201, (path, answer)
        return str(answer["data"]["id"])

    assert ask("PUT", f"/api/v1/models/{MODEL_NAME}", MODEL)[0] in (200, 201)
    assert ask("POST", "/v1/chat/completions", CHAT)[0] == 200
    place = f"/api/v1/orgs/{org_id}"
    budget = made("/api/v1/budgets", BUDGET)
    ids = {
        "orgs": org_id,
        "users": member_id,
        "v1": "sim/chat",
        "models": MODEL_NAME,
        "keys": made("/api/v1/keys", {"name": "x", "scopes": ["keys:write"]}),
        "limits": made("/api/v1/limits", LIMIT),
        "budgets": budget,
        "adjustment_id": made(f"/api/v1/budgets/{budget}/adjustments", TOP_UP),
        "role_id": made(f"{place}/roles", {"name": f"Nothing {mark}", "permissions": []}),
        "team_id": made(f"{place}/teams", {"name": f"Search {mark}"}),
        "invitation_id": invitation_id,
        "sessions": "all",
        "me": invitation_id,  # of a login, which nobody has
    }
    _, listed = ask("GET", "/api/v1/ledger", None)
    return Things(org_id, member_id, ids | {"ledger": str(listed["data"][0]["id"])})


# The key of `Things` is not the caller's own: these need that it answers for everybody's, as who manages members does.
ANOTHERS = {"PATCH /api/v1/keys/{id}", "DELETE /api/v1/keys/{id}", "POST /api/v1/keys/{id}/actions/rotate"}


def allowed(route: Route, permissions: frozenset[str], *, person: bool) -> bool:
    """Tell what the declarations and the table of roles say, without asking the code that decides."""
    if name_of(route) in ANOTHERS and "members:write" not in permissions:
        return False
    return person if route.permission == "self" else route.permission in permissions


PROTECTED = [route for route in ROUTES if route.permission is not None]
PUBLIC = [route for route in ROUTES if route.permission is None and not route.operator]
OPERATORS = [route for route in ROUTES if route.operator]
ROLES: Mapping[str, frozenset[str]] = {str(role): PERMISSIONS[role] for role in Role}
