"""Limits as an organisation manages them. What they do to callers is in test_limits_hold.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.shapes import assert_error

LIMITS = "/api/v1/limits"


def body(**fields: Any) -> dict[str, Any]:
    """A limit on an end user who never calls, so that it is in no other test's way."""
    scope = {"type": "end_user", "id": letters()}
    return {"scope": scope, "unit": "requests", "limit": 10, "window_seconds": 60, **fields}


def make(headgate: Headgate, **fields: Any) -> dict[str, Any]:
    answer = headgate.post(LIMITS, body(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def test_from_making_to_deleting(headgate: Headgate) -> None:
    """What POST answers is what GET shows; PATCH makes a new version of it, and after DELETE it is gone."""
    sent = body(unit="tokens", limit=1000, burst=10_000)
    made = headgate.post(LIMITS, sent)
    assert made.status_code == 201
    data = made.json()["data"]
    path = f"{LIMITS}/{data['id']}"
    assert made.headers["location"] == path
    assert data["scope"] == {**sent["scope"], "model": None}
    numbers = ("unit", "limit", "window_seconds", "burst", "used", "remaining")
    assert [data[name] for name in numbers] == ["tokens", 1000, 60, 10_000, 0, 10_000]
    shown = headgate.get(path)
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])

    changed = headgate.patch(path, {"limit": 2000, "burst": None}, if_match=shown.headers["etag"])
    assert changed.status_code == 200
    assert [changed.json()["data"][name] for name in numbers] == ["tokens", 2000, 60, None, 0, 2000]
    assert changed.headers["etag"] != made.headers["etag"]
    assert headgate.get(path).json() == changed.json()

    assert headgate.delete(path).status_code == 204
    assert_error(headgate.get(path), 404, openai=False)
    assert_error(headgate.patch(path, {"limit": 1}, if_match=changed.headers["etag"]), 404, openai=False)
    assert_error(headgate.delete(path), 404, openai=False)


def test_whom_it_is_for(headgate: Headgate) -> None:
    """The own organisation, one of its keys, a model, an end user, or each of them; perhaps with one model only."""
    key = headgate.new_key()
    scopes: list[dict[str, Any]] = [
        {"type": "org", "model": "nobody-calls-this"},
        {"type": "key", "id": key.id, "model": None},
        {"type": "key", "id": "*", "model": "nobody-calls-this"},
        {"type": "model", "id": letters(), "model": None},
        {"type": "end_user", "id": "Zoë 😀 <script>", "model": "a/b:c"},
    ]
    for scope in scopes:
        made = make(headgate, scope=scope, limit=1000)
        assert made["scope"] == {"id": made["scope"]["id"], **scope}
        assert (made["used"] is None) == (scope.get("id") == "*")
        assert headgate.get(f"{LIMITS}/{made['id']}").json()["data"] == made
        assert headgate.delete(f"{LIMITS}/{made['id']}").status_code == 204


def test_conditions(headgate: Headgate) -> None:
    """A change names the version that it changes; of several changes to one exactly one is made."""
    path = f"{LIMITS}/{make(headgate)['id']}"
    tag = headgate.get(path).headers["etag"]

    assert_error(headgate.patch(path, {"limit": 1}), 428, openai=False)
    assert_error(headgate.patch(path, {"limit": 1}, if_match='"99"'), 412, openai=False)
    assert_error(headgate.patch(path, {"limit": 1}, if_match="nonsense"), 400, openai=False)
    with ThreadPoolExecutor(5) as pool:
        changed = list(pool.map(lambda most: headgate.patch(path, {"limit": most}, if_match=tag), range(1, 6)))
    assert sorted(answer.status_code for answer in changed) == [200, 412, 412, 412, 412]
    [winner] = [answer for answer in changed if answer.status_code == 200]
    assert headgate.get(path).json() == winner.json()
    assert_error(headgate.delete(path, if_match=tag), 412, openai=False)
    assert headgate.delete(path, if_match=winner.headers["etag"]).status_code == 204


def test_making_one_twice(headgate: Headgate) -> None:
    """With an Idempotency-Key a repetition gets the first answer, and nothing more is made."""
    sent, repeat = body(), letters()
    first, again = (headgate.post(LIMITS, sent, idempotency_key=repeat) for _ in range(2))

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    found = headgate.all_pages(LIMITS, limit=100)
    assert [row["scope"]["id"] for row in found].count(sent["scope"]["id"]) == 1


def test_two_hundred_and_no_more(own_headgate: Headgate) -> None:
    """Also when many are made at the same time. The list has each of them once, newest first."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: own_headgate.post(LIMITS, body()), range(208)))

    assert sorted(answer.status_code for answer in answers) == [201] * 200 + [422] * 8
    [refused, *_] = [answer for answer in answers if answer.status_code == 422]
    assert "200" in str(assert_error(refused, 422, openai=False)["message"])
    made = {answer.json()["data"]["id"] for answer in answers if answer.status_code == 201}
    listed = [row["id"] for row in own_headgate.all_pages(LIMITS, limit=70)]
    assert listed == sorted(made, reverse=True)
    assert own_headgate.delete(f"{LIMITS}/{listed[0]}").status_code == 204
    make(own_headgate)
    assert_error(own_headgate.post(LIMITS, body()), 422, openai=False)


def test_another_organisations_limits(headgate: Headgate, own_headgate: Headgate) -> None:
    """They are a 404 for every method, and not listed; its keys and itself can't be limited."""
    foreign = headgate.post(LIMITS, body())
    path, tag = foreign.headers["location"], foreign.headers["etag"]

    assert_error(own_headgate.get(path), 404, openai=False)
    assert_error(own_headgate.patch(path, {"limit": 1}, if_match=tag), 404, openai=False)
    assert_error(own_headgate.delete(path), 404, openai=False)
    assert own_headgate.all_pages(LIMITS) == []
    org_id = make(headgate, scope={"type": "org", "model": letters()})["scope"]["id"]
    for scope in ({"type": "org", "id": org_id}, {"type": "key", "id": headgate.new_key().id}):
        assert_error(own_headgate.post(LIMITS, body(scope=scope)), 422, openai=False)
    assert headgate.get(path).json() == foreign.json()


MALFORMED: list[dict[str, Any]] = [
    {"scope": None}, {"scope": []}, {"scope": {"type": "org'; DROP TABLE limits; --"}}, {"scope": {"id": "x"}},
    {"scope": {"type": "end_user", "id": "\0"}},
    {"scope": {"type": "end_user", "id": "x" * 257}}, {"scope": {"type": "end_user", "id": ["x"]}},
    {"scope": {"type": "key", "id": "*", "extra": 1}}, {"unit": "requests "}, {"unit": 1}, {"limit": 0},
    {"limit": -1}, {"limit": 2**63}, {"limit": 10**400}, {"limit": 1.5}, {"limit": "10"}, {"limit": True},
    {"window_seconds": 0}, {"window_seconds": 2_592_001}, {"window_seconds": "60"}, {"burst": 0}, {"burst": -5},
    {"org_id": "x"}, {"version": 7},
]  # fmt: skip


@pytest.mark.parametrize("fields", MALFORMED, ids=lambda fields: ascii(fields)[:50])
def test_what_is_malformed(headgate: Headgate, fields: dict[str, Any]) -> None:
    """400, and none of it comes back."""
    error = assert_error(headgate.post(LIMITS, body(**fields)), 400, openai=False)

    assert "DROP" not in str(error)


RULES: list[dict[str, Any]] = [
    {"scope": {"type": "team", "id": "x"}}, {"scope": {"type": "user", "id": "x"}}, {"scope": {"type": "key"}},
    {"scope": {"type": "org", "id": "x"}}, {"scope": {"type": "org", "id": "*"}}, {"burst": 101},
    {"scope": {"type": "key", "id": "' OR 1=1 --"}}, {"scope": {"type": "model", "id": "m", "model": "n"}},
    {"window_seconds": None}, {"unit": "concurrent"}, {"unit": "concurrent", "window_seconds": None, "burst": 1},
]  # fmt: skip


@pytest.mark.parametrize("fields", RULES, ids=str)
def test_what_breaks_a_rule(headgate: Headgate, fields: dict[str, Any]) -> None:
    """422: well formed, but no limit that could be kept."""
    assert_error(headgate.post(LIMITS, body(**fields)), 422, openai=False)
