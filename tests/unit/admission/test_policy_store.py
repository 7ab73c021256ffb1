"""Limits and budgets as the gate takes them."""

from __future__ import annotations

import json

from lib.admission.rules import Unit, parse_policy
from lib.kernel.ids import new_id
from tests.unit.admission.test_rule_store import Store
from tests.unit.fakes import NOW


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
