"""What a key may do: what its scopes say, and never more than its maker might."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.shapes import assert_error

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}
MODEL = {"provider": "sim", "upstream_model": "chat"}
# For somebody who never calls: they are in nobody's way.
NOBODY = {"type": "end_user", "id": "scope-test-nobody"}
LIMIT = {"scope": NOBODY, "unit": "concurrent", "limit": 1}
BUDGET = {"scope": NOBODY, "window": "total", "limit_nano_usd": 0}
MINT = {
    "end_user": "x", "minutes": 1, "budget_nano_usd": 1, "models": ["x"], "origins": ["https://a.example"]
}  # fmt: skip
# What needs which scope: (scope, method, path, body).
NEEDS = [
    ("chat:write", "POST", "/v1/chat/completions", CHAT),
    ("embeddings:write", "POST", "/v1/embeddings", {"model": "sim/embed", "input": "x"}),
    ("models:read", "GET", "/v1/models", None),
    ("models:read", "GET", "/v1/models/sim/chat", None),
    ("models:read", "GET", "/api/v1/models", None),
    ("models:write", "PUT", "/api/v1/models/scope-test", MODEL),
    ("keys:read", "GET", "/api/v1/keys", None),
    ("keys:write", "POST", "/api/v1/keys", {"name": "x", "scopes": ["keys:write"]}),
    ("keys:mint", "POST", "/api/v1/keys/actions/mint", MINT),
    ("limits:read", "GET", "/api/v1/limits", None),
    ("limits:write", "POST", "/api/v1/limits", LIMIT),
    ("budgets:read", "GET", "/api/v1/budgets", None),
    ("budgets:write", "POST", "/api/v1/budgets", BUDGET),
    ("orgs:read", "GET", "/api/v1/orgs/current", None),
    ("orgs:write", "PATCH", "/api/v1/orgs/current", {}),
    ("usage:read", "GET", "/api/v1/usage", None),
    ("usage:read", "GET", "/api/v1/usage/records", None),
    ("ledger:read", "GET", "/api/v1/ledger", None),
    ("ledger:read", "GET", "/api/v1/ledger/export", None),
    ("ledger:read", "POST", "/api/v1/ledger/actions/verify", {}),
]
SCOPES = sorted({scope for scope, *_ in NEEDS})


@pytest.fixture(scope="module")
def keys(headgate: Headgate) -> dict[str, str]:
    """A key of each scope alone."""
    return {scope: headgate.new_key(scopes=[scope]).secret for scope in SCOPES}


@pytest.mark.parametrize(("scope", "method", "path", "body"), NEEDS, ids=lambda value: str(value)[:40])
def test_each_route_needs_its_scope(
    headgate: Headgate, keys: dict[str, str], scope: str, method: str, path: str, body: object
) -> None:
    """A key with the one scope passes; keys with any other single scope are a 403 that names the missing one."""
    for own_scope, secret in keys.items():
        answer = headgate.as_key(secret).call(method, path, json=body)
        if own_scope == scope:
            # 428: it may, but must say which version; 422: it may mint, but has nothing to give.
            assert answer.status_code in {200, 201, 422, 428}, answer.text
        else:
            error = assert_error(answer, 403, openai=path.startswith("/v1"))
            assert scope in str(error["message"])


def test_a_key_gives_no_more_than_it_has(headgate: Headgate) -> None:
    """A key that may make keys can't make one with scopes that it lacks, nor change, rotate or revoke such a key."""
    limited = headgate.as_key(headgate.new_key(scopes=["keys:read", "keys:write", "chat:write"]).secret)
    stronger = headgate.new_key(scopes=["usage:read", "chat:write"])
    path = f"/api/v1/keys/{stronger.id}"

    limited.new_key(scopes=["chat:write"])
    for body in ({"name": "x", "scopes": ["usage:read"]}, {"name": "x"}):  # the second would have the default scopes
        assert_error(limited.post("/api/v1/keys", body), 403, openai=False)
    assert_error(limited.post(f"{path}/actions/rotate", {}), 403, openai=False)
    assert_error(limited.patch(path, {"name": "x"}, if_match=stronger.etag), 403, openai=False)
    assert_error(limited.delete(path), 403, openai=False)
    assert headgate.as_key(stronger.secret).chat("sim/chat").status_code == 200


def test_a_change_cannot_widen_a_key(headgate: Headgate) -> None:
    """A key's scopes are for life: a change that names them is refused."""
    key = headgate.new_key(scopes=["chat:write"])

    answer = headgate.patch(f"/api/v1/keys/{key.id}", {"scopes": ["keys:write"]}, if_match=key.etag)

    assert_error(answer, 400, openai=False)
    assert headgate.get(f"/api/v1/keys/{key.id}").json()["data"]["scopes"] == ["chat:write"]


def test_a_key_does_not_outlive_its_makers_end(headgate: Headgate) -> None:
    """A key with an end can't give itself a longer life by rotation."""
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    mortal = headgate.new_key(scopes=["keys:read", "keys:write"], expires_at=ends)

    answer = headgate.as_key(mortal.secret).post(f"/api/v1/keys/{mortal.id}/actions/rotate", {})

    made = answer.json()["data"] if answer.status_code == 201 else None
    assert made is None or made["expires_at"] is not None
