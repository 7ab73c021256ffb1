"""Limits and budgets as an organisation manages them. What they do to callers is in test_{limits,budgets}_hold.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.shapes import assert_error


@dataclass(frozen=True)
class Rule:
    """A kind of rule: its path, what one says besides its scope, its amount, and what of it is used."""

    path: str
    fields: dict[str, Any]
    amount: str
    used: str

    def body(self, **fields: Any) -> dict[str, Any]:
        """A rule for an end user who never calls, so that it is in no other test's way."""
        return {"scope": {"type": "end_user", "id": letters()}, **self.fields, **fields}

    def make(self, headgate: Headgate, **fields: Any) -> dict[str, Any]:
        answer = headgate.post(self.path, self.body(**fields))
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["data"])


LIMIT = Rule("/api/v1/limits", {"unit": "requests", "limit": 10, "window_seconds": 60}, "limit", "used")
BUDGET = Rule("/api/v1/budgets", {"window": "month", "limit_nano_usd": 1000}, "limit_nano_usd", "spent_nano_usd")
either = pytest.mark.parametrize("rule", [LIMIT, BUDGET], ids=lambda rule: rule.path.rpartition("/")[2])


@pytest.mark.parametrize(
    ("rule", "sent", "change", "shown", "changed_to"),
    [
        (
            LIMIT,
            {"unit": "tokens", "limit": 1000, "burst": 10_000},
            {"limit": 2000, "burst": None},
            {"unit": "tokens", "limit": 1000, "window_seconds": 60, "burst": 10_000, "used": 0, "remaining": 10_000},
            {"unit": "tokens", "limit": 2000, "window_seconds": 60, "burst": None, "used": 0, "remaining": 2000},
        ),
        (
            BUDGET,
            {"limit_nano_usd": 2**53},
            {"limit_nano_usd": 0, "mode": "soft"},
            {"window": "month", "limit_nano_usd": 2**53, "mode": "hard", "remaining_nano_usd": 2**53},
            {"window": "month", "limit_nano_usd": 0, "mode": "soft", "remaining_nano_usd": 0},
        ),
    ],
    ids=["limits", "budgets"],
)
def test_from_making_to_deleting(
    headgate: Headgate,
    rule: Rule,
    sent: dict[str, Any],
    change: dict[str, Any],
    shown: dict[str, Any],
    changed_to: dict[str, Any],
) -> None:
    """What POST answers is what GET shows; PATCH makes a new version of it, and after DELETE it is gone."""
    body = rule.body(**sent)
    made = headgate.post(rule.path, body)
    assert made.status_code == 201
    data = made.json()["data"]
    path = f"{rule.path}/{data['id']}"
    assert made.headers["location"] == path
    assert data["scope"] == {**body["scope"], "model": None}
    assert shown | data == data
    assert [value for name, value in data.items() if name in {"spent_nano_usd", "reserved_nano_usd"} and value] == []
    got = headgate.get(path)
    assert (got.json(), got.headers["etag"]) == (made.json(), made.headers["etag"])

    changed = headgate.patch(path, change, if_match=got.headers["etag"])
    assert changed.status_code == 200
    assert changed_to | changed.json()["data"] == changed.json()["data"]
    assert changed.headers["etag"] != made.headers["etag"]
    assert headgate.get(path).json() == changed.json()

    assert headgate.delete(path).status_code == 204
    assert_error(headgate.get(path), 404, openai=False)
    assert_error(headgate.patch(path, change, if_match=changed.headers["etag"]), 404, openai=False)
    assert_error(headgate.delete(path), 404, openai=False)


@pytest.mark.parametrize("window", ["day", "week", "month", "total", "rolling:60", "rolling:31536000"])
def test_when_a_window_ends(headgate: Headgate, window: str) -> None:
    """A calendar window ends at a midnight to come, of the organisation's time zone; the others never do."""
    made = BUDGET.make(headgate, window=window)
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


@either
def test_whom_it_is_for(headgate: Headgate, rule: Rule) -> None:
    """The own organisation, one of its keys, a model, an end user, or each of them; perhaps with one model only."""
    key = headgate.new_key()
    scopes: list[dict[str, Any]] = [
        {"type": "org", "model": "nobody-calls-this"},
        {"type": "key", "id": key.id, "model": None},
        {"type": "key", "id": "*", "model": "nobody-calls-this"},
        {"type": "end_user", "id": "*", "model": "nobody-calls-this"},
        {"type": "model", "id": letters(), "model": None},
        {"type": "end_user", "id": "Zoë 😀 <script>", "model": "a/b:c"},
    ]
    for scope in scopes:
        made = rule.make(headgate, scope=scope, **{rule.amount: 1000})
        assert made["scope"] == {"id": made["scope"]["id"], **scope}
        assert (made[rule.used] is None) == (scope.get("id") == "*")
        assert headgate.get(f"{rule.path}/{made['id']}").json()["data"] == made
        assert headgate.delete(f"{rule.path}/{made['id']}").status_code == 204


@either
def test_conditions(headgate: Headgate, rule: Rule) -> None:
    """A change names the version that it changes; of several changes to one exactly one is made."""
    path = f"{rule.path}/{rule.make(headgate)['id']}"
    tag = headgate.get(path).headers["etag"]

    assert_error(headgate.patch(path, {rule.amount: 1}), 428, openai=False)
    assert_error(headgate.patch(path, {rule.amount: 1}, if_match='"99"'), 412, openai=False)
    assert_error(headgate.patch(path, {rule.amount: 1}, if_match="nonsense"), 400, openai=False)
    with ThreadPoolExecutor(5) as pool:
        changed = list(pool.map(lambda most: headgate.patch(path, {rule.amount: most}, if_match=tag), range(1, 6)))
    assert sorted(answer.status_code for answer in changed) == [200, 412, 412, 412, 412]
    [winner] = [answer for answer in changed if answer.status_code == 200]
    assert headgate.get(path).json() == winner.json()
    assert_error(headgate.delete(path, if_match=tag), 412, openai=False)
    assert headgate.delete(path, if_match=winner.headers["etag"]).status_code == 204


@either
def test_making_one_twice(headgate: Headgate, rule: Rule) -> None:
    """With an Idempotency-Key a repetition gets the first answer, and nothing more is made."""
    sent, repeat = rule.body(), letters()
    first, again = (headgate.post(rule.path, sent, idempotency_key=repeat) for _ in range(2))

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    found = headgate.all_pages(rule.path, limit=100)
    assert [row["scope"]["id"] for row in found].count(sent["scope"]["id"]) == 1


@either
def test_two_hundred_and_no_more(own_headgate: Headgate, rule: Rule) -> None:
    """Also when many are made at the same time. The list has each of them once, newest first."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: own_headgate.post(rule.path, rule.body()), range(208)))

    assert sorted(answer.status_code for answer in answers) == [201] * 200 + [422] * 8
    [refused, *_] = [answer for answer in answers if answer.status_code == 422]
    assert "200" in str(assert_error(refused, 422, openai=False)["message"])
    made = {answer.json()["data"]["id"] for answer in answers if answer.status_code == 201}
    listed = [row["id"] for row in own_headgate.all_pages(rule.path, limit=70)]
    assert listed == sorted(made, reverse=True)
    assert own_headgate.delete(f"{rule.path}/{listed[0]}").status_code == 204
    rule.make(own_headgate)
    assert_error(own_headgate.post(rule.path, rule.body()), 422, openai=False)


@either
def test_another_organisations_rules(headgate: Headgate, own_headgate: Headgate, rule: Rule) -> None:
    """They are a 404 for every method, and not listed; its keys and itself get none of its."""
    foreign = headgate.post(rule.path, rule.body())
    path, tag = foreign.headers["location"], foreign.headers["etag"]

    assert_error(own_headgate.get(path), 404, openai=False)
    assert_error(own_headgate.patch(path, {rule.amount: 1}, if_match=tag), 404, openai=False)
    assert_error(own_headgate.delete(path), 404, openai=False)
    assert own_headgate.all_pages(rule.path) == []
    org_id = rule.make(headgate, scope={"type": "org", "model": letters()})["scope"]["id"]
    for scope in ({"type": "org", "id": org_id}, {"type": "key", "id": headgate.new_key().id}):
        assert_error(own_headgate.post(rule.path, rule.body(scope=scope)), 422, openai=False)
    assert headgate.get(path).json() == foreign.json()


MALFORMED: list[tuple[Rule, list[dict[str, Any]]]] = [
    (LIMIT, [
        {"scope": None}, {"scope": []}, {"scope": {"type": "org'; DROP TABLE limits; --"}}, {"scope": {"id": "x"}},
        {"scope": {"type": "end_user", "id": "\0"}},
        {"scope": {"type": "end_user", "id": "x" * 257}}, {"scope": {"type": "end_user", "id": ["x"]}},
        {"scope": {"type": "key", "id": "*", "extra": 1}}, {"unit": "requests "}, {"unit": 1}, {"limit": 0},
        {"limit": -1}, {"limit": 2**63}, {"limit": 10**400}, {"limit": 1.5}, {"limit": "10"}, {"limit": True},
        {"window_seconds": 0}, {"window_seconds": 2_592_001}, {"window_seconds": "60"}, {"burst": 0}, {"burst": -5},
        {"org_id": "x"}, {"version": 7},
    ]),
    (BUDGET, [
        {"scope": None}, {"scope": {"type": "org'; DROP TABLE budgets; --"}},
        {"scope": {"type": "model", "id": "a\0"}}, {"scope": {"type": "org", "extra": 1}}, {"window": "year"},
        {"window": "rolling:"}, {"window": "rolling:59"}, {"window": "rolling:31536001"}, {"window": "rolling:1e3"},
        {"window": "rolling:٣٠٠"}, {"window": "rolling:" + "9" * 20_000}, {"window": "day\n"}, {"window": ["day"]},
        {"limit_nano_usd": -1}, {"limit_nano_usd": 2**53 + 1}, {"limit_nano_usd": 10**400}, {"limit_nano_usd": 0.5},
        {"limit_nano_usd": "5"}, {"limit_nano_usd": False}, {"limit_nano_usd": None}, {"mode": "HARD"}, {"mode": 1},
        {"spent_nano_usd": 0}, {"org_id": "x"},
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "fields"),
    [(rule, fields) for rule, malformed in MALFORMED for fields in malformed],
    ids=lambda given: ascii(given if isinstance(given, dict) else given.amount)[:50],
)
def test_what_is_malformed(headgate: Headgate, rule: Rule, fields: dict[str, Any]) -> None:
    """400, and none of it comes back."""
    error = assert_error(headgate.post(rule.path, rule.body(**fields)), 400, openai=False)

    assert "DROP" not in str(error)


SCOPES: list[dict[str, Any]] = [
    {"type": "team", "id": "x"}, {"type": "user", "id": "x"}, {"type": "key"}, {"type": "end_user"},
    {"type": "org", "id": "x"}, {"type": "org", "id": "*"}, {"type": "key", "id": "' OR 1=1 --"},
    {"type": "model", "id": "m", "model": "n"},
]  # fmt: skip


@either
@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_scope_that_breaks_a_rule(headgate: Headgate, rule: Rule, scope: dict[str, Any]) -> None:
    """422: well formed, but nothing that could be kept."""
    assert_error(headgate.post(rule.path, rule.body(scope=scope)), 422, openai=False)


NUMBERS: list[dict[str, Any]] = [
    {"burst": 101}, {"window_seconds": None}, {"unit": "concurrent"},
    {"unit": "concurrent", "window_seconds": None, "burst": 1},
]  # fmt: skip


@pytest.mark.parametrize("fields", NUMBERS, ids=str)
def test_numbers_that_do_not_fit_each_other(headgate: Headgate, fields: dict[str, Any]) -> None:
    """422: well formed, but no limit that could be kept."""
    assert_error(headgate.post(LIMIT.path, LIMIT.body(**fields)), 422, openai=False)
