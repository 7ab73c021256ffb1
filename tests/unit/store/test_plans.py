"""How SQLite goes about each query: no statement reads a growing table from end to end."""

from __future__ import annotations

import ast
import re
from datetime import timedelta

import pytest

from lib.admission import usage_report, usage_store
from lib.admission.usage_report import ALL_GROUPS, Group, UsageFilter
from lib.gateway import model_store
from lib.gateway.models import ModelRoute, Price
from lib.http import idempotency
from lib.identity import key_service, key_store
from lib.ids import new_id
from tests.unit.fakes import NOW, run
from tests.unit.source_tree import modules
from tests.unit.store.seeds import usage_record
from tests.unit.world import World, new_world

GROWING = ("usage_records", "api_keys", "models", "model_prices", "idempotent_answers", "orgs", "users", "memberships")


async def use_everything(world: World) -> None:
    """Run every statement that the application has."""
    services, principal, org = world.services, world.key.principal, world.org_id
    database = services.database
    row, _ = await key_service.create(services, principal, "x", ["chat:write"], None)
    row = await key_service.update(services, principal, row, "y", None)
    await key_service.rotate(services, principal, row.id, timedelta(hours=1))
    await key_service.revoke(services, principal, row.id)
    await key_store.list_keys(database, org, "~", 20)
    await key_store.find_principal(database, world.key.secret_hash)
    for price in (None, Price(1, 2, 3, new_id(NOW))):
        await model_store.put_model(database, org, ModelRoute("m", "sim", "chat", price), None, NOW)
    await model_store.list_models(database, org, "", 20)
    await model_store.get_model(database, org, "m")
    await model_store.count_models(database, org)
    await model_store.routes_of_key(database, world.key.secret_hash)
    await model_store.delete_model(database, org, "m", None)
    await usage_store.deliver(database, f"[{usage_record(org, principal.key_id).to_json()}]", NOW)
    for wanted in (
        UsageFilter(NOW, NOW),
        UsageFilter(NOW, NOW, model="m"),
        UsageFilter(NOW, NOW, key_id="k"),
        UsageFilter(NOW, NOW, "m", "k"),
    ):
        for groups in (ALL_GROUPS, (Group.DAY,), ()):
            await usage_report.report(database, org, wanted, groups, None, 20)
            await usage_report.report(database, org, wanted, groups, ("a", "b", "c"), 20)
        await usage_report.records(database, org, wanted, ("~", "~"), 20)
    await idempotency.purge(services)


def plans() -> dict[str, list[str]]:
    world = new_world()
    run(use_everything(world))
    world.ask("POST", "/api/v1/keys", {"name": "x"}, headers={"idempotency-key": "k"})
    world.ask("POST", "/api/v1/keys", {"name": "x"}, headers={"idempotency-key": "k"})
    world.ask(
        "POST", "/api/v1/keys", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, headers={"idempotency-key": "k2"}
    )
    return world.binding.plans()


PLANS = {sql: steps for sql, steps in plans().items() if not sql.startswith("INSERT INTO orgs")}


@pytest.mark.parametrize("sql", PLANS, ids=lambda sql: sql[:80])
def test_no_statement_reads_a_growing_table_from_end_to_end(sql: str) -> None:
    """A table that grows with use is searched by an index, never scanned."""
    for step in PLANS[sql]:
        scanned = re.match(r"SCAN (\w+)", step)
        assert not scanned or scanned[1] not in GROWING, step


@pytest.mark.parametrize("sql", [sql for sql in PLANS if "FROM usage_records" in sql], ids=lambda sql: sql[-90:])
def test_usage_is_read_by_organisation_and_time(sql: str) -> None:
    """Not the organisation's whole history: the index is searched for the time too."""
    [step] = [step for step in PLANS[sql] if "usage_records" in step]
    assert re.search(r"USING INDEX \w+ \(org_id=\? AND (key_id=\? AND )?started_at>\? AND started_at<\?\)", step)


def test_a_report_on_one_key_uses_the_keys_own_index() -> None:
    """An organisation with thousands of keys and a report on one of them."""
    [steps] = {
        tuple(PLANS[sql])
        for sql in PLANS
        if "FROM usage_records" in sql and "key_id = ?4" in sql and "model =" not in sql
    }
    assert "usage_records_by_key" in steps[0]


def test_pages_of_keys_and_models_need_no_sorting() -> None:
    """The index gives them in their order."""
    for sql, steps in PLANS.items():
        if "ORDER BY id" in sql or "ORDER BY models.id" in sql:
            assert not [step for step in steps if "TEMP B-TREE" in step], sql


def test_the_whole_application_was_looked_at() -> None:
    """The list above is of use only while it is complete: every SQL text in the source ran."""
    written = {
        node.value
        for module in modules()
        if not module.within("lib.admission.gate", "lib.bootstrap", "lib.runtime")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(r"(SELECT|INSERT|UPDATE|DELETE) ", node.value)
    }
    assert len(written) > 15
    assert not [sql for sql in written if not any(ran.startswith(sql) for ran in PLANS)]
