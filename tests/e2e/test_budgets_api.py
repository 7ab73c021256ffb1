"""Budgets as an organisation manages them. What they do to callers is in test_budgets_hold.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.shapes import assert_error

BUDGETS = "/api/v1/budgets"


def body(**fields: Any) -> dict[str, Any]:
    """A budget of an end user who never calls, so that it is in no other test's way."""
    return {"scope": {"type": "end_user", "id": letters()}, "window": "month", "limit_nano_usd": 1000, **fields}


def make(headgate: Headgate, **fields: Any) -> dict[str, Any]:
    answer = headgate.post(BUDGETS, body(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def test_from_making_to_deleting(headgate: Headgate) -> None:
    """What POST answers is what GET shows; PATCH makes a new version of it, and after DELETE it is gone."""
    sent = body(limit_nano_usd=2**53)
    made = headgate.post(BUDGETS, sent)
    assert made.status_code == 201
    data = made.json()["data"]
    path = f"{BUDGETS}/{data['id']}"
    assert made.headers["location"] == path
    assert data["scope"] == {**sent["scope"], "model": None}
    names = ("window", "limit_nano_usd", "mode", "spent_nano_usd", "reserved_nano_usd", "remaining_nano_usd")
    assert [data[name] for name in names] == ["month", 2**53, "hard", 0, 0, 2**53]
    shown = headgate.get(path)
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])

    changed = headgate.patch(path, {"limit_nano_usd": 0, "mode": "soft"}, if_match=shown.headers["etag"])
    assert changed.status_code == 200
    assert [changed.json()["data"][name] for name in names] == ["month", 0, "soft", 0, 0, 0]
    assert changed.headers["etag"] != made.headers["etag"]
    assert headgate.get(path).json() == changed.json()

    assert headgate.delete(path).status_code == 204
    assert_error(headgate.get(path), 404, openai=False)
    assert_error(headgate.patch(path, {"mode": "soft"}, if_match=changed.headers["etag"]), 404, openai=False)
    assert_error(headgate.delete(path), 404, openai=False)


@pytest.mark.parametrize("window", ["day", "week", "month", "total", "rolling:60", "rolling:31536000"])
def test_when_a_window_ends(headgate: Headgate, window: str) -> None:
    """A calendar window ends at a midnight to come, of the organisation's time zone; the others never do."""
    made = make(headgate, window=window)
    assert made["window"] == window
    if window in {"day", "week", "month"}:
        ends = datetime.fromisoformat(made["resets_at"])
        days = (ends - datetime.now(UTC)).total_seconds() / 86_400
        assert 0 < days <= {"day": 1, "week": 7, "month": 31}[window]
        assert (ends.hour, ends.minute, ends.second, ends.microsecond) == (0, 0, 0, 0)
        assert window != "week" or ends.weekday() == 0
        assert window != "month" or ends.day == 1
    else:
        assert made["resets_at"] is None


def test_whom_it_is_for(headgate: Headgate) -> None:
    """The own organisation, one of its keys, a model, an end user, or each of them; perhaps with one model only."""
    key = headgate.new_key()
    scopes: list[dict[str, Any]] = [
        {"type": "org", "model": "nobody-calls-this"},
        {"type": "key", "id": key.id, "model": None},
        {"type": "end_user", "id": "*", "model": "nobody-calls-this"},
        {"type": "model", "id": letters(), "model": None},
    ]
    for scope in scopes:
        made = make(headgate, scope=scope)
        assert made["scope"] == {"id": made["scope"]["id"], **scope}
        assert (made["spent_nano_usd"] is None) == (scope.get("id") == "*")
        assert headgate.get(f"{BUDGETS}/{made['id']}").json()["data"] == made
        assert headgate.delete(f"{BUDGETS}/{made['id']}").status_code == 204


def test_conditions(headgate: Headgate) -> None:
    """A change names the version that it changes; of several changes to one exactly one is made."""
    path = f"{BUDGETS}/{make(headgate)['id']}"
    tag = headgate.get(path).headers["etag"]

    assert_error(headgate.patch(path, {"limit_nano_usd": 1}), 428, openai=False)
    assert_error(headgate.patch(path, {"limit_nano_usd": 1}, if_match='"99"'), 412, openai=False)
    assert_error(headgate.patch(path, {"limit_nano_usd": 1}, if_match="nonsense"), 400, openai=False)
    with ThreadPoolExecutor(5) as pool:
        changed = list(pool.map(lambda most: headgate.patch(path, {"limit_nano_usd": most}, if_match=tag), range(1, 6)))
    assert sorted(answer.status_code for answer in changed) == [200, 412, 412, 412, 412]
    [winner] = [answer for answer in changed if answer.status_code == 200]
    assert headgate.get(path).json() == winner.json()
    assert_error(headgate.delete(path, if_match=tag), 412, openai=False)
    assert headgate.delete(path, if_match=winner.headers["etag"]).status_code == 204


def test_making_one_twice(headgate: Headgate) -> None:
    """With an Idempotency-Key a repetition gets the first answer, and nothing more is made."""
    sent, repeat = body(), letters()
    first, again = (headgate.post(BUDGETS, sent, idempotency_key=repeat) for _ in range(2))

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    found = headgate.all_pages(BUDGETS, limit=100)
    assert [row["scope"]["id"] for row in found].count(sent["scope"]["id"]) == 1


def test_two_hundred_and_no_more(own_headgate: Headgate) -> None:
    """Also when many are made at the same time. The list has each of them once, newest first."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: own_headgate.post(BUDGETS, body()), range(208)))

    assert sorted(answer.status_code for answer in answers) == [201] * 200 + [422] * 8
    [refused, *_] = [answer for answer in answers if answer.status_code == 422]
    assert "200" in str(assert_error(refused, 422, openai=False)["message"])
    made = {answer.json()["data"]["id"] for answer in answers if answer.status_code == 201}
    listed = [row["id"] for row in own_headgate.all_pages(BUDGETS, limit=70)]
    assert listed == sorted(made, reverse=True)
    assert own_headgate.delete(f"{BUDGETS}/{listed[0]}").status_code == 204
    make(own_headgate)
    assert_error(own_headgate.post(BUDGETS, body()), 422, openai=False)


def test_another_organisations_budgets(headgate: Headgate, own_headgate: Headgate) -> None:
    """They are a 404 for every method, and not listed; its keys and itself get no budget."""
    foreign = headgate.post(BUDGETS, body())
    path, tag = foreign.headers["location"], foreign.headers["etag"]

    assert_error(own_headgate.get(path), 404, openai=False)
    assert_error(own_headgate.patch(path, {"limit_nano_usd": 1}, if_match=tag), 404, openai=False)
    assert_error(own_headgate.delete(path), 404, openai=False)
    assert own_headgate.all_pages(BUDGETS) == []
    org_id = make(headgate, scope={"type": "org", "model": letters()})["scope"]["id"]
    for scope in ({"type": "org", "id": org_id}, {"type": "key", "id": headgate.new_key().id}):
        assert_error(own_headgate.post(BUDGETS, body(scope=scope)), 422, openai=False)
    assert headgate.get(path).json() == foreign.json()


MALFORMED: list[dict[str, Any]] = [
    {"scope": None}, {"scope": {"type": "org'; DROP TABLE budgets; --"}},
    {"scope": {"type": "model", "id": "a\0"}}, {"scope": {"type": "org", "extra": 1}}, {"window": "year"},
    {"window": "rolling:"}, {"window": "rolling:59"}, {"window": "rolling:31536001"}, {"window": "rolling:1e3"},
    {"window": "rolling:٣٠٠"}, {"window": "rolling:" + "9" * 20_000}, {"window": "day\n"}, {"window": ["day"]},
    {"limit_nano_usd": -1}, {"limit_nano_usd": 2**53 + 1}, {"limit_nano_usd": 10**400}, {"limit_nano_usd": 0.5},
    {"limit_nano_usd": "5"}, {"limit_nano_usd": False}, {"limit_nano_usd": None}, {"mode": "HARD"}, {"mode": 1},
    {"spent_nano_usd": 0}, {"org_id": "x"},
]  # fmt: skip


@pytest.mark.parametrize("fields", MALFORMED, ids=lambda fields: ascii(fields)[:50])
def test_what_is_malformed(headgate: Headgate, fields: dict[str, Any]) -> None:
    """400, and none of it comes back."""
    error = assert_error(headgate.post(BUDGETS, body(**fields)), 400, openai=False)

    assert "DROP" not in str(error)


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "team", "id": "x"},
        {"type": "user", "id": "x"},
        {"type": "org", "id": "*"},
        {"type": "key", "id": "' OR 1=1 --"},
        {"type": "end_user"},
        {"type": "model", "id": "m", "model": "n"},
    ],
    ids=str,
)
def test_what_breaks_a_rule(headgate: Headgate, scope: dict[str, str]) -> None:
    """422: well formed, but no budget that could be kept."""
    assert_error(headgate.post(BUDGETS, body(scope=scope)), 422, openai=False)
