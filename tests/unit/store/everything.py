"""Everything that the application asks of its store: for the tests that look at each of its statements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.admission import policy_store, rule_store
from lib.admission.rule_store import ADJUSTMENTS, BUDGETS, HOLDS, LIMITS
from lib.audit import audit_store, linking
from lib.audit.audit_store import AuditFilter
from lib.events.event import Event
from lib.events.event_store import noted
from lib.gateway import model_store
from lib.gateway.models import ModelRoute
from lib.http.context import Context
from lib.kernel.errors import Unauthorized
from lib.kernel.ids import new_id
from lib.keys import browser_keys, key_service, key_store, leaks
from lib.keys.key_store import Descendants
from lib.ledger import bookkeeping, day_sums, delivery, ledger, ledger_sums, retention, usage_report, usage_store
from lib.ledger.late_records import deliver_late
from lib.ledger.ledger import LedgerFilter
from lib.ledger.ledger_sums import Wanted
from lib.ledger.usage import Price
from lib.ledger.usage_report import ALL_GROUPS, Group, UsageFilter
from lib.reconcile import ledger_check, restored_store
from lib.sessions import session_store, sessions
from lib.sign_in import housekeeping
from lib.store import conditions
from lib.store.database import Database, Value
from lib.store.dialect import time_text
from lib.store.schema import BudgetAdjustmentRow, BudgetRow, LimitRow
from lib.store.table import Table
from lib.store.tenant import Org, Person
from lib.tenants import org_store, owner_store
from lib.tokens import access_tokens, grants, jwt
from lib.users import people
from lib.web import idempotency, pipeline
from lib.web.app import App
from lib.web.router import Router
from routes import ROUTES
from tests.unit.fakes import NOW, FakeArchive, FakeClock, raw_request
from tests.unit.store.everything_orgs import use_organisations
from tests.unit.store.everything_people import use_people
from tests.unit.store.seeds import SeededKey, seed_person, usage_record, write

_ROUTER = Router(ROUTES)


async def use_everything(parts: App, key: SeededKey) -> None:
    """Run every statement that the application has, over the store of `parts`, as the organisation of `key`."""
    await parts.database.check()
    await _keys(parts, key)
    await _models(parts, key.principal.org_id)
    await _rules(parts, key.principal.org_id)
    await _usage(parts, key)
    await _once(parts, key)
    await use_people(parts, key.principal.org_id)
    await _sign_in(parts, key.principal.org_id)
    await use_organisations(parts, key.principal.org_id)


async def _keys(parts: App, key: SeededKey) -> None:
    database, principal = parts.database, key.principal
    row, _ = await key_service.create(parts, principal, "x", ["chat:write"], None)
    row = await key_service.update(parts, principal, row, "y", None)
    await key_service.rotate(parts, principal, row.id, timedelta(hours=1))
    for descendants in Descendants:
        await key_service.revoke(parts, principal, row.id, descendants=descendants)
    await key_store.KEYS.page(database, principal.org_id, "~", 20, " AND kind = ?", "server")
    await key_store.find_principal(database, key.secret_hash)
    await key_store.find_principal(database, "0" * 64, [key.secret_hash])
    await key_store.find_principal(database, key.secret_hash, ["0" * 64])
    await owner_store.is_team(database, principal.org_id, new_id(NOW))
    await owner_store.is_member(database, principal.org_id, new_id(NOW))
    await owner_store.is_in_team(database, principal.org_id, new_id(NOW), new_id(NOW))
    await _browser_keys(parts, key)


async def _browser_keys(parts: App, key: SeededKey) -> None:
    """Mint one that ends at once for the clock of the daily work, and report it as leaked."""
    wanted = browser_keys.Wanted("b", "u", 1, 5, frozenset({"m"}), frozenset({"https://a.example"}))
    _, secret = await browser_keys.mint(parts, key.principal, wanted)
    own = parts.for_request()
    await leaks.report(own, secret, Context("r"))
    await own.database.close()
    later = FakeClock(NOW + timedelta(days=1))
    assert await browser_keys.purge(replace(parts, clock=later)) == 1


async def _models(parts: App, org: str) -> None:
    database = parts.database
    for price in (None, Price(1, 2, 3, new_id(NOW))):
        await write(database, org, *model_store.put(org, ModelRoute("m", "sim", "chat", price), None, NOW))
    await model_store.list_models(database, org, "", 20)
    await model_store.get_model(database, org, "m")
    await model_store.routes_of(database, org)
    await write(database, org, model_store.MODELS.delete(org, "m"))


async def _table(database: Database, table: Table[Any], row: Any, also: str = "", *values: Value) -> None:
    """Run all that a table can be asked, and leave a row in it."""
    org = row.org_id
    changes = [table.update(row), table.delete(org, row.id, 1)] if table.changes else []
    await database.batch(Org(org), [table.insert(row), *changes, table.delete(org, row.id), table.insert(row)])
    await table.get(database, org, row.id, also, *values)
    await table.page(database, org, table.start, 20, also, *values)
    await table.all(database, org)


async def _rules(parts: App, org: str) -> None:
    database = parts.database
    limit = LimitRow(new_id(NOW), org, "org", org, None, "requests", 5, 60, None, 1, NOW, NOW, "n", "keys")
    await _table(database, LIMITS, limit)
    budget = BudgetRow(new_id(NOW), org, "org", org, None, "day", 5, "hard", 1, NOW, NOW, "n", "keys")
    await _table(database, BUDGETS, budget)
    adjustment = BudgetAdjustmentRow(new_id(NOW), org, budget.id, "top_up", 5, "x", NOW, NOW, NOW)
    await _table(database, ADJUSTMENTS, adjustment, HOLDS, budget.id, NOW)
    await database.batch(Org(org), [rule_store.delete_expired(org, budget.id, NOW)])
    await rule_store.adjustments(database, org)
    await policy_store.load_policy(database, org)
    row = await org_store.get_org(database, org)
    assert row is not None
    await write(database, org, org_store.update(row))


async def _usage(parts: App, key: SeededKey) -> None:
    database, org = parts.database, key.principal.org_id
    await usage_store.deliver(database, org, f"[{usage_record(org, key.principal.key_id).to_json()}]", NOW)
    strange = json.loads(usage_record(org, new_id(NOW)).to_json())
    assert (
        len(await delivery.deliver_what_fits(database, None, org, [strange, {**strange, "id": new_id(NOW)}], NOW)) == 2
    )
    for wanted in (
        UsageFilter(NOW, NOW + timedelta(days=1)),
        UsageFilter(NOW, NOW + timedelta(days=1), model="m"),
        UsageFilter(NOW, NOW + timedelta(days=1), key_id="k"),
        UsageFilter(NOW, NOW + timedelta(days=1), "m", "k"),
    ):
        for groups in (ALL_GROUPS, (Group.DAY,), ()):
            await usage_report.report(database, org, wanted, groups, None, 20)
            await usage_report.report(database, org, wanted, groups, "abcdefg", 20)
    await _ledger(parts, key)
    await _audit(parts, key.principal.org_id)


# Tables with versions whose changes have a condition.
_NOTED = ("api_keys", "budgets", "limits", "models")


async def _audit(parts: App, org: str) -> None:
    database = parts.database
    asked = [
        None,
        conditions.found_owner("orgs", org, 1),
        model_store.may_put(org, "m", 0),
        model_store.may_put(org, "m", None),
        *(conditions.found(table, org, "x", version) for table in _NOTED for version in (None, 1)),
        *(conditions.found("api_keys", org, "x", version, active=True) for version in (None, 1)),
        conditions.found("budget_adjustments", org, "x"),
    ]
    for only_if in asked:
        await database.batch(
            Org(org), [noted(parts.log_key, Event("x", Org(org)), "system", Context("r"), NOW, only_if)]
        )
    for wanted in (
        AuditFilter(),
        AuditFilter(action="a"),
        AuditFilter(actor="b"),
        AuditFilter(target="c"),
        AuditFilter(result="denied"),
        AuditFilter(NOW, NOW, "a", "b", "c", "ok"),
    ):
        await audit_store.newest(database, org, wanted, audit_store.BEYOND_ALL, 20)
        await audit_store.oldest(database, org, wanted, 0, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_store, "MOST_LOOKED_AT", 2)
        await audit_store.oldest(database, org, AuditFilter(NOW), 0, 20)
    person = (await seed_person(database, email="audited@example.com")).id
    await database.batch(
        Person(person), [noted(parts.log_key, Event("x", Person(person)), "system", Context("r"), NOW)]
    )
    await audit_store.of_person(database, person, audit_store.BEYOND_ALL, 20)
    await linking.link_left(parts)
    await audit_store.last_number(database, org)


async def _ledger(parts: App, key: SeededKey) -> None:
    database, org = parts.database, key.principal.org_id
    for wanted in (
        LedgerFilter(NOW, NOW),
        LedgerFilter(NOW, NOW, model="m"),
        LedgerFilter(NOW, NOW, key_id="k"),
        LedgerFilter(NOW, NOW, "m", "k", "e", "p", "lost", estimated=True),
    ):
        await ledger.newest(database, parts.archive, org, wanted, (datetime.max.replace(tzinfo=UTC), "~"), 20)
        await ledger.oldest(database, parts.archive, org, wanted, (NOW, ""), 20)
    await ledger.find(database, parts.archive, org, new_id(NOW))
    await ledger_sums.organisations(database, "", 5)
    await ledger_sums.line_of(database, org, "x")
    for level in ("org", "team", "user", "key", "model", "end_user"):
        for who in (None, "x"):
            for model in (None, "m") if level != "model" else (None,):
                for last in (None, "x"):
                    wanted_sums = Wanted(level, who, model, NOW, NOW + timedelta(days=1), last=last)
                    assert len([piece async for piece in ledger_sums.pieces(database, org, wanted_sums)]) == 1
                    await ledger_sums.sums(database, org, wanted_sums)
                    await ledger_sums.unclear(database, org, wanted_sums, 20)
                    if await ledger_sums.tell_apart(database, org, level, "2026-05-03", "2026-05-04"):
                        days = replace(wanted_sums, start="2026-05-03", end="2026-05-04")
                        assert len([piece async for piece in ledger_sums.pieces(database, org, days)]) == 1
                        await ledger_sums.sums(database, org, days)
    await ledger_check.check_organisation(parts, org)
    await restored_store.known(database, org, ["x"])
    await restored_store.keep_keys(database, org, [new_id(NOW)], NOW)
    await restored_store.nobodys_key(database, org, NOW)

    await _books(parts, key)


async def _books(parts: App, key: SeededKey) -> None:
    """Sum the day of that record, export and delete it; then the daily work at a time when there is little to do."""
    database, archive, org = parts.database, FakeArchive(), key.principal.org_id
    lost = usage_record(org, key.principal.key_id, cause="lost")
    await usage_store.deliver(database, org, f"[{lost.to_json()}]", NOW)
    await day_sums.sum_days(database, org, NOW + timedelta(days=5))
    while (await retention.prune(database, archive, org, NOW + timedelta(days=400), 7)).records:
        pass
    assert archive.objects
    late = [replace(lost, cause="finished"), usage_record(org, key.principal.key_id)]
    await deliver_late(database, archive, org, [json.loads(record.to_json()) for record in late], NOW)
    await day_sums.sum_days(database, org, NOW + timedelta(days=5))  # there is nothing to sum any longer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_sums, "PIECE_ROWS", 1)
        two = [usage_record(org, key.principal.key_id, started_at=time_text(NOW + timedelta(days=8))) for _ in "ab"]
        await usage_store.deliver(database, org, f"[{','.join(record.to_json() for record in two)}]", NOW)
        await day_sums.sum_days(database, org, NOW + timedelta(days=20))
    early = FakeClock(NOW - timedelta(days=205))
    assert (await bookkeeping.keep_books(database, archive, early, 7, lambda *_: None)).left == 0


async def _once(parts: App, key: SeededKey) -> None:
    """Make a key, get the same answer again, and be refused; then the daily work."""
    for header, body in (
        ("k", {"name": "x"}),
        ("k", {"name": "x"}),
        ("k2", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}),
    ):
        await _post(parts, key, header, body)
    await idempotency.purge(parts)


async def _post(parts: App, key: SeededKey, repeat_key: str, body: Mapping[str, str]) -> None:
    headers = {
        "authorization": f"Bearer {key.secret}",
        "content-type": "application/json",
        "idempotency-key": repeat_key,
    }
    raw = raw_request("POST", "/api/v1/keys", json.dumps(body).encode(), headers)
    response = await pipeline.handle(parts, _ROUTER, raw)
    if response.finish:
        await response.finish()


async def _sign_in(parts: App, org: str) -> None:
    """Sign in as a browser and as an app, use both, and end them; then the daily work."""
    user = await seed_person(parts.database, org)
    await people.choose_org(parts, user.id, None)
    begun = await sessions.begin(parts, user, org, _CONTEXT, None)
    begun = await sessions.begin(parts, user, org, _CONTEXT, begun.cookie)
    principal = await sessions.find(parts, begun.cookie)
    assert principal is not None
    await session_store.touch(parts.database, user.id, begun.shown.id, NOW)
    await sessions.list_all(parts, user.id, "~", 20)
    await sessions.renew(parts, principal, org)
    granted = await grants.grant(parts, user, org)
    await grants.refresh(parts, granted.refresh_token, None, _CONTEXT)
    token = access_tokens.read(jwt.parse(granted.access_token), parts.config.session, parts.clock.now())
    assert await access_tokens.principal_of(parts, token) is not None
    with pytest.raises(Unauthorized):
        await grants.refresh(parts, granted.refresh_token, None, _CONTEXT)
    await grants.revoke(parts, token)
    await sessions.end(parts, principal, begun.shown.id)
    await sessions.sign_out_everywhere(parts, user.id)
    await housekeeping.purge(parts)


_CONTEXT = Context("request", "192.0.2.1", "a browser")
