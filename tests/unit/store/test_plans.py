"""How SQLite goes about each query: no statement reads a growing table from end to end."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.fakes import run
from tests.unit.source_tree import modules
from tests.unit.store.everything import use_everything
from tests.unit.world import new_world

GROWING = (
    "usage_records", "api_keys", "models", "model_prices", "idempotent_answers", "orgs", "users", "memberships",
    "limits", "budgets", "budget_adjustments", "usage_days", "usage_marks", "usage_objects", "roles", "teams",
    "team_members", "invitations", "sessions", "refresh_tokens", "revoked_tokens", "mail_tokens", "recovery_codes",
    "logins", "audit_events", "audit_links", "person_events", "person_links",
)  # fmt: skip


def plans() -> dict[str, list[str]]:
    world = new_world()
    run(use_everything(world.parts, world.key))
    return world.binding.plans()


PLANS = plans()


@pytest.mark.parametrize("sql", PLANS, ids=lambda sql: sql[:80])
def test_no_statement_reads_a_growing_table_from_end_to_end(sql: str) -> None:
    """A table that grows with use is searched by an index, never scanned."""
    for step in PLANS[sql]:
        scanned = re.match(r"SCAN (\w+)", step)
        assert not scanned or scanned[1] not in GROWING, step


@pytest.mark.parametrize(
    "sql", [sql for sql in PLANS if "FROM usage_records" in sql and "started_at >= " in sql], ids=lambda sql: sql[-90:]
)
def test_usage_is_read_by_organisation_and_time(sql: str) -> None:
    """Not the organisation's whole history: the index is searched for the time too."""
    steps = [step for step in PLANS[sql] if "usage_records" in step]
    assert steps
    end = "" if "(SELECT min(started_at)" in sql else r" AND started_at<\?"  # the first is found, and no more read
    by_time = rf"USING (COVERING )?INDEX \w+ \(org_id=\? AND (key_id=\? AND )?started_at>\?{end}\)"
    assert all(re.search(by_time, step) for step in steps)


# A statement that reads a list from a cursor on: what it is sorted by is compared with what is bound.
PAGED = re.compile(
    r" (\(started_at, id\)|(?:\w+\.)?(?:id|seq|name|user_id|org_id)) [<>] .* ORDER BY (?:\w+\.)?\w+.* LIMIT \?\d*$"
)


@pytest.mark.parametrize("sql", [sql for sql in PLANS if PAGED.search(sql)], ids=lambda sql: sql[-90:])
def test_a_cursor_bounds_the_index(sql: str) -> None:
    """A page far back costs what the first one does, and an export as much as it has rows: nothing is skipped over."""
    found = PAGED.search(sql)
    assert found
    cursor = re.escape(found[1].replace(", ", ",").rpartition(".")[2])
    of_one_key = r"|key_id=\? AND started_at" if "INDEXED BY usage_records_by_key" in sql else ""
    assert any(re.search(rf"\(.*({cursor}{of_one_key})[<>]", step) for step in PLANS[sql]), PLANS[sql]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("action", "audit_events_by_action"),
        ("actor", "audit_events_by_actor"),
        ("target", "audit_events_by_target"),
        ("result", "audit_events_by_failure"),
    ],
)
def test_a_filter_of_the_audit_log_has_its_index(condition: str, index: str) -> None:
    """Alone; of several together, and of times, so many rows are looked at in one read."""
    alone = re.compile(rf"audit_events .* AND events.seq . \?2 AND events.{condition} =")
    found = [steps for sql, steps in PLANS.items() if alone.search(sql)]
    assert len(found) == 2
    searched = re.compile(rf"INDEX {index} \(org_id=\? AND {condition}=\? AND seq[<>]\?\)")
    assert all(searched.search(steps[0]) for steps in found)


def test_a_report_on_one_key_uses_the_keys_own_index() -> None:
    """An organisation with thousands of keys and a report on one of them, on every page."""
    found = [
        steps
        for sql, steps in PLANS.items()
        if "FROM usage_records" in sql and "single_records" in sql and "key_id = ?5" in sql and "model =" not in sql
    ]
    assert len(found) > 1
    assert all(any("usage_records_by_key" in step for step in steps) for steps in found)


def test_pages_of_keys_rules_and_models_need_no_sorting() -> None:
    """The index gives them in their order."""
    for sql, steps in PLANS.items():
        if "ORDER BY id" in sql or "ORDER BY models.id" in sql:
            assert not [step for step in steps if "TEMP B-TREE" in step], sql


# What they ask is asked of a Durable Object's own SQLite.
_GATES = ("gate", "gate_sql", "gate_disk", "journal", "leases", "regional", "regional_gate")
OBJECTS = (*(f"lib.admission.{name}" for name in _GATES), "lib.defence.guessing_store", "lib.tenants.placement_store")


def test_the_whole_application_was_looked_at() -> None:
    """The list above is of use only while it is complete: every SQL text in the source ran."""
    written = {
        node.value
        for module in modules()
        if not module.within(*OBJECTS, "lib.worker.bootstrap", "lib.runtime", "lib.store.postgres")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(r"(SELECT|INSERT|UPDATE|DELETE) ", node.value)
    }
    assert len(written) > 15
    assert not [sql for sql in written if not any(sql in ran for ran in PLANS)]
