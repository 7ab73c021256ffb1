"""Limits and budgets in the store, and the text that the gate takes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lib.admission import policy_store
from lib.admission.rules import Unit, parse_policy
from lib.ids import new_id
from lib.store.database import CheckViolation, Database, ForeignKeyViolation
from lib.store.schema import BudgetRow, LimitRow
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

LATER = NOW + timedelta(hours=1)


class Store:
    """Two organisations without a rule."""

    def __init__(self) -> None:
        self.database: Database
        self.binding: SqliteBinding
        self.database, self.binding = new_database()
        self.org, self.other = run(seed_org(self.database)), run(seed_org(self.database))

    def limit(self, org: str | None = None, **fields: Any) -> LimitRow:
        row = replace(limit(org or self.org), **fields)
        assert run(policy_store.insert_limit(self.database, row))
        return row

    def budget(self, org: str | None = None, **fields: Any) -> BudgetRow:
        row = replace(budget(org or self.org), **fields)
        assert run(policy_store.insert_budget(self.database, row))
        return row

    def policy(self, org: str | None = None) -> str:
        return run(policy_store.load_policy(self.database, org or self.org))


def limit(org: str) -> LimitRow:
    return LimitRow(new_id(NOW), org, "key", "*", None, "requests", 10, 60, None, 1, NOW, NOW, "Ann's", "keys")


def budget(org: str) -> BudgetRow:
    return BudgetRow(new_id(NOW), org, "key", "*", None, "month", 500, "hard", 1, NOW, NOW, "Ours", "keys")


def test_what_is_written_is_read() -> None:
    """Each column, of the organisation alone."""
    store = Store()
    made = store.limit(scope_id="k", scope_model="m", unit="tokens", amount=7, window_seconds=9, burst=70)
    planned = store.budget(scope_id="k", scope_model="m", spend_window="rolling:60", limit_nano_usd=2**53, mode="soft")
    assert run(policy_store.get_limit(store.database, store.org, made.id)) == made
    assert run(policy_store.get_budget(store.database, store.org, planned.id)) == planned
    assert run(policy_store.get_limit(store.database, store.other, made.id)) is None
    assert run(policy_store.get_budget(store.database, store.other, planned.id)) is None
    assert run(policy_store.list_limits(store.database, store.other, "~", 9)) == []
    assert run(policy_store.list_budgets(store.database, store.other, "~", 9)) == []


def test_pages_are_newest_first() -> None:
    """By id, which holds the time of making; a page begins below the last id of the one before."""
    store = Store()
    limits = sorted((store.limit() for _ in range(5)), key=lambda row: row.id, reverse=True)
    budgets = sorted((store.budget() for _ in range(5)), key=lambda row: row.id, reverse=True)
    assert run(policy_store.list_limits(store.database, store.org, "~", 3)) == limits[:3]
    assert run(policy_store.list_limits(store.database, store.org, limits[2].id, 3)) == limits[3:]
    assert run(policy_store.list_budgets(store.database, store.org, "~", 3)) == budgets[:3]
    assert run(policy_store.list_budgets(store.database, store.org, budgets[2].id, 3)) == budgets[3:]


def test_a_change_is_of_the_version_that_was_read() -> None:
    """The second of two that read the same version changes nothing; nor does another organisation."""
    store = Store()
    made, planned = store.limit(), store.budget()
    wanted = replace(made, amount=3, window_seconds=4, burst=5, updated_at=LATER)
    cheaper = replace(planned, limit_nano_usd=0, mode="soft", updated_at=LATER)
    for org, version, expected in ((store.other, 1, False), (store.org, 1, True), (store.org, 1, False)):
        assert run(policy_store.update_limit(store.database, replace(wanted, org_id=org), version)) == expected
        assert run(policy_store.update_budget(store.database, replace(cheaper, org_id=org), version)) == expected
    assert run(policy_store.get_limit(store.database, store.org, made.id)) == replace(wanted, version=2)
    assert run(policy_store.get_budget(store.database, store.org, planned.id)) == replace(cheaper, version=2)


def test_deleting_tells_whether_there_was_one() -> None:
    """Of this organisation, and of this version where one is named."""
    store = Store()
    made, planned = store.limit(), store.budget()
    for org, version, expected in (
        (store.other, None, False),
        (store.org, 2, False),
        (store.org, 1, True),
        (store.org, None, False),
    ):
        assert run(policy_store.delete_limit(store.database, org, made.id, version)) == expected
        assert run(policy_store.delete_budget(store.database, org, planned.id, version)) == expected
    last = store.limit()
    assert run(policy_store.delete_limit(store.database, store.org, last.id, None))


def test_an_organisation_has_so_many_and_no_more() -> None:
    """The one too many is not there afterwards; another organisation's do not count."""
    store = Store()
    first, *_ = [store.limit() for _ in range(policy_store.MOST_LIMITS)]
    planned, *_ = [store.budget() for _ in range(policy_store.MOST_BUDGETS)]
    late, later = limit(store.org), budget(store.org)
    assert not run(policy_store.insert_limit(store.database, late))
    assert not run(policy_store.insert_budget(store.database, later))
    assert run(policy_store.get_limit(store.database, store.org, late.id)) is None
    assert run(policy_store.get_budget(store.database, store.org, later.id)) is None
    store.limit(store.other)
    store.budget(store.other)
    run(policy_store.delete_limit(store.database, store.org, first.id, None))
    run(policy_store.delete_budget(store.database, store.org, planned.id, None))
    store.limit()
    store.budget()


@pytest.mark.parametrize(
    "fields",
    [
        {"scope_type": "planet"}, {"scope_id": ""}, {"scope_id": "x" * 257}, {"scope_model": ""}, {"unit": "bytes"},
        {"amount": 0}, {"window_seconds": 0}, {"window_seconds": 2_592_001}, {"window_seconds": None},
        {"unit": "concurrent"}, {"unit": "concurrent", "window_seconds": None, "burst": 1}, {"burst": 0},
        {"burst": 101}, {"version": 0}, {"scope_type": "org"}, {"scope_type": "model", "scope_model": "m"},
    ],
    ids=str,
)  # fmt: skip
def test_the_store_refuses_a_limit_that_makes_no_sense(fields: dict[str, Any]) -> None:
    """The last line, for the day when a rule of ours is forgotten."""
    store = Store()
    with pytest.raises(CheckViolation):
        store.limit(**fields)
    assert run(policy_store.list_limits(store.database, store.org, "~", 9)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"scope_type": "planet"}, {"scope_id": ""}, {"scope_model": "x" * 257}, {"spend_window": "year"},
        {"spend_window": "Day"}, {"spend_window": "rolling"}, {"limit_nano_usd": -1}, {"limit_nano_usd": 2**53 + 1},
        {"mode": "medium"}, {"version": 0}, {"scope_type": "org"}, {"scope_type": "model", "scope_model": "m"},
    ],
    ids=str,
)  # fmt: skip
def test_the_store_refuses_a_budget_that_makes_no_sense(fields: dict[str, Any]) -> None:
    """As for limits."""
    store = Store()
    with pytest.raises(CheckViolation):
        store.budget(**fields)
    assert run(policy_store.list_budgets(store.database, store.org, "~", 9)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "concurrent", "window_seconds": None}, {"window_seconds": 2_592_000}, {"burst": 1}, {"burst": 100},
        {"scope_type": "model", "scope_id": "m"}, {"scope_type": "team", "scope_id": "t", "scope_model": "m"},
    ],
    ids=str,
)  # fmt: skip
def test_the_store_takes_what_makes_sense(fields: dict[str, Any]) -> None:
    """At the very borders."""
    store = Store()
    made = store.limit(**fields)
    assert run(policy_store.get_limit(store.database, store.org, made.id)) == made


def test_a_rule_belongs_to_an_organisation_that_exists() -> None:
    """The store itself refuses another."""
    store = Store()
    with pytest.raises(ForeignKeyViolation):
        store.limit(new_id(NOW))
    with pytest.raises(ForeignKeyViolation):
        store.budget(new_id(NOW))


def test_the_policy_is_what_the_gate_reads() -> None:
    """Its own parser understands it, oldest rules first."""
    store = Store()
    store.limit(store.other)
    store.budget(store.other)
    ids = sorted(new_id(NOW) for _ in range(4))
    store.limit(id=ids[1], unit="concurrent", window_seconds=None)
    store.limit(id=ids[0], scope_id="k", scope_model="m", burst=100)
    store.budget(id=ids[3], mode="soft", spend_window="rolling:3600")
    store.budget(id=ids[2], scope_type="end_user", scope_id="ü😀", limit_nano_usd=2**53)
    text = store.policy()
    each = {"type": "key", "id": "*", "model": None}
    assert json.loads(text) == {
        "time_zone": "UTC",
        "limits": [
            {
                "id": ids[0], "scope": {"type": "key", "id": "k", "model": "m"}, "unit": "requests", "limit": 10,
                "window_ms": 60_000, "burst": 100, "name": "Ann's", "version": 1,
            },
            {
                "id": ids[1], "scope": each, "unit": "concurrent", "limit": 10,
                "window_ms": None, "burst": None, "name": "Ann's", "version": 1,
            },
        ],
        "budgets": [
            {
                "id": ids[2], "scope": {"type": "end_user", "id": "ü😀", "model": None}, "window": "month",
                "limit": 2**53, "mode": "hard", "name": "Ours", "version": 1,
            },
            {
                "id": ids[3], "scope": each, "window": "rolling:3600", "limit": 500,
                "mode": "soft", "name": "Ours", "version": 1,
            },
        ],
    }  # fmt: skip
    policy = parse_policy(text)
    assert [(entry.id, entry.unit, entry.most) for entry in policy.limits] == [
        (ids[0], Unit.REQUESTS, 10),
        (ids[1], Unit.CONCURRENT, 10),
    ]
    assert [(entry.id, entry.hard) for entry in policy.budgets] == [(ids[2], True), (ids[3], False)]


def test_the_policy_has_the_organisations_own_time_zone() -> None:
    """UTC where nothing was set, or where there is no such organisation."""
    store = Store()
    store.binding.connection.execute("UPDATE orgs SET time_zone = 'Asia/Tokyo' WHERE id = ?", (store.org,))
    assert json.loads(store.policy())["time_zone"] == "Asia/Tokyo"
    for org in (store.other, new_id(NOW)):
        assert json.loads(store.policy(org)) == {"time_zone": "UTC", "limits": [], "budgets": []}
