"""How PostgreSQL goes about each statement of the application: run over real sockets, then explained."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.ledger import ledger, ledger_sums, usage_report
from lib.ledger.ledger import LedgerFilter
from lib.ledger.ledger_sums import Wanted
from lib.ledger.usage_report import ALL_GROUPS, Group, UsageFilter
from lib.store.database import Database, Read
from lib.store.pg_connection import Address
from lib.store.postgres import PostgresDatabase
from lib.store.session import CONNECT_SECONDS, STATEMENT_SECONDS, Bound, Result
from lib.store.tenant import Tenant
from lib.web.app import App
from tests.contract.support.asyncio_stream import address
from tests.contract.support.databases import FreshDatabase
from tests.unit.fakes import NOW, run
from tests.unit.store.everything import use_everything
from tests.unit.store.seeds import SeededKey, seed_key
from tests.unit.world import new_world
from tools.postgres_client import connected

ORGS, ROWS = 50, 5000  # rows of each table
Plan = Mapping[str, Any]


@dataclass(frozen=True)
class Explained:
    """A statement and its plan."""

    sql: str
    plan: Plan

    def nodes(self) -> Iterator[Plan]:
        """Every step, from the last to the first."""
        todo = [self.plan]
        while todo:
            node = todo.pop()
            yield node
            todo += node.get("Plans", [])

    def __str__(self) -> str:
        """The statement, and its steps in words."""
        told = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key")
        steps = [" · ".join(str(node[name]) for name in told if name in node) for node in self.nodes()]
        return "\n  ".join([self.sql, *steps])

    @property
    def indexes(self) -> dict[str, str]:
        """Each index that is read, with what it is searched for; without a condition that is all it holds."""
        return {node["Index Name"]: node.get("Index Cond", "") for node in self.nodes() if "Index Name" in node}

    @property
    def read_whole(self) -> set[str]:
        """The tables that are read from end to end."""
        return {node["Relation Name"] for node in self.nodes() if node["Node Type"] == "Seq Scan"}

    @property
    def sorts(self) -> set[str]:
        return {node["Node Type"] for node in self.nodes() if node["Node Type"].endswith("Sort")}


class Recorder(PostgresDatabase):
    """Notes what runs, with its scope."""

    def __init__(self, where: Address, seen: dict[str, tuple[Tenant, Bound]]) -> None:
        super().__init__(where, time.monotonic, STATEMENT_SECONDS, CONNECT_SECONDS)
        self._seen = seen

    async def _run(self, scope: Tenant, statements: Sequence[Bound], read: Read) -> list[Result]:
        for statement in statements:
            self._seen[statement[0]] = (scope, statement)  # in the order of the first run, with the last run's values
        return await super()._run(scope, statements, read)

    async def explain(self, scope: Tenant, statement: Bound) -> Explained:
        """Return a statement's plan under its scope, where a table is read whole only if there is no other way."""
        sql, values = statement
        explained: list[Bound] = [("SET LOCAL enable_seqscan = off", []), (f"EXPLAIN (FORMAT JSON) {sql}", values)]
        results = await self._exchange(self._group(scope, explained))
        [row] = results[-2].rows
        return Explained(sql, json.loads(row["QUERY PLAN"])[0]["Plan"])


class RecorderStore:
    """Implements `lib.store.database.Store`."""

    def __init__(self, url: str) -> None:
        self._where = address(url)
        self.seen: dict[str, tuple[Tenant, Bound]] = {}

    def open(self, bookmark: str | None = None) -> Database:
        assert bookmark is None
        return self.recorder()

    def recorder(self) -> Recorder:
        return Recorder(self._where, self.seen)


class NoGates:
    """Implements `lib.web.app.OrgGates` without a store: `use_everything` runs a gate's statements itself."""

    async def accounts_changed(self, org_id: str) -> None:
        """Nobody is told."""

    async def rules_changed(self, org_id: str) -> None:
        """Nobody is told."""

    async def rule_changed(self, org_id: str, change: str) -> None:
        """Nobody is told."""

    async def flush(self, org_id: str) -> None:
        """Nothing is settled."""

    async def counters(self, org_id: str) -> Mapping[str, Counter]:  # noqa: ARG002 - nothing counts for anybody
        return {}

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:  # noqa: ARG002
        return Counted(int(NOW.timestamp() * 1000), 0, [], mixed=False)

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:  # noqa: ARG002
        return ()

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:  # noqa: ARG002
        return {}

    async def refused(self, org_id: str) -> int:  # noqa: ARG002 - nothing was sent to any store
        return 0

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:  # noqa: ARG002 - nothing is in anybody's way
        return None


def statements_on_d1() -> list[str]:
    """The application's statements in the order of their first run."""
    world = new_world()
    before = len(world.binding.statements)
    run(_everything(replace(world.parts, gates=NoGates()), world.key))
    return list(dict.fromkeys(sql for sql, _ in world.binding.statements[before:]))


async def _everything(parts: App, key: SeededKey) -> None:
    await use_everything(parts, key)
    # Once more with a time that holds most of the rows: that is what pages are for.
    wide = UsageFilter(NOW - timedelta(days=400), NOW + timedelta(days=1))
    database, org = parts.database, key.principal.org_id
    for wanted in (wide, replace(wide, key_id="key-50".ljust(36, "-"))):
        records = LedgerFilter(wanted.start, wanted.end, key_id=wanted.key_id)
        await ledger.newest(database, parts.archive, org, records, (wide.end, "~"), 20)
        await ledger.oldest(database, parts.archive, org, records, (wide.start, ""), 500)
        for model in (None, "m"):
            of_key = Wanted("key", "key-50".ljust(36, "-"), model, wide.start, wide.end)
            await ledger_sums.sums(database, org, of_key)
            await ledger_sums.unclear(database, org, of_key, 20)
        for groups in (ALL_GROUPS, (Group.DAY,), ()):
            await usage_report.report(database, org, wanted, groups, None, 20)
            await usage_report.report(database, org, wanted, groups, "abcdefg", 20)


def explain_everything(database: FreshDatabase) -> list[Explained]:
    """Run every statement of the application, as its own role, on tables with thousands of rows; explain each."""
    with connected(database.owner_url) as owner:
        owner.run(SEED)
    store = RecorderStore(database.worker_url)
    return run(_explain_everything(store))


async def _explain_everything(store: RecorderStore) -> list[Explained]:
    world = await asyncio.to_thread(new_world)  # it runs a loop of its own
    recorder = store.recorder()
    key = await seed_key(recorder, FIRST_ORG)
    store.seen.clear()
    await _everything(replace(world.parts, gates=NoGates(), store=store, database=recorder), key)
    # But for the self test of the store, which is PostgreSQL's alone.
    seen = [ran for sql, ran in store.seen.items() if "current_setting(" not in sql]
    plans = [await recorder.explain(scope, statement) for scope, statement in seen]
    await recorder.close()
    return plans


def _id(kind: str, number: str) -> str:
    return f"rpad('{kind}-' || {number}, 36, '-')"


FIRST_ORG = "org-0".ljust(36, "-")
_ORG = _id("org", f"(i % {ORGS})")
_ORG_OR_FIRST = f"CASE WHEN i % 2 = 0 THEN '{FIRST_ORG}' ELSE {_ORG} END"  # the first has half of all keys and records
_TIME = f"timestamptz '{NOW}' - i * interval"
SEED = f"""
INSERT INTO orgs SELECT {_id("org", "i")}, 'Acme', now(), now() FROM generate_series(0, {ORGS - 1}) AS i;
INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, created_at, updated_at)
  SELECT {_id("key", "i")}, {_ORG_OR_FIRST}, 'key', 'hg_12345678', rpad('hash-' || i, 64, '-'), '[]', now(), now()
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO api_keys (id, org_id, created_by_key_id, name, prefix, secret_hash, scopes, kind, expires_at, created_at,
    updated_at)
  SELECT {_id("page", "i")}, {_ORG}, {_id("key", "i")}, 'page', 'hg_12345678', rpad('page-' || i, 64, '-'), '[]',
    'browser', {_TIME} '1 day', now(), now() FROM generate_series(1, 500) AS i;
INSERT INTO model_prices SELECT {_id("price", "i")}, {_ORG}, 1, 2, 3, now(), now() FROM generate_series(1, {ROWS}) AS i;
INSERT INTO models SELECT {_ORG}, 'model-' || i, 'sim', 'chat', {_id("price", "i")}, 1, now(), now()
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO limits SELECT {_id("limit", "i")}, {_ORG}, 'key', '*', NULL, 'requests', 5, 60, NULL, 1, now(), now()
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO budgets SELECT {_id("budget", "i")}, {_ORG}, 'key', '*', NULL, 'day', 5, 'hard', 1, now(), now()
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO usage_records
  SELECT {_id("use", "i")}, {_ORG_OR_FIRST}, {_id("key", "i")}, 'chat.completions', 'm', 'sim', 'chat', true,
    'finished', 200, false, 1, 0, 2, 0, 3, 'v1', 4, 5, {_TIME} '1 hour', now(), now()
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO usage_days SELECT {_ORG_OR_FIRST}, to_char({_TIME} '1 day', 'YYYY-MM-DD'), 'm', {_id("key", "i")},
    1, 2, 3, 4, 5, 6, 0, 0, now(), now(), 'p', 't', 'u', 'e'
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO usage_objects SELECT {_ORG_OR_FIRST}, to_char({_TIME} '1 day', 'YYYY-MM-DD'), 'object-' || i,
    {_TIME} '1 day', {_TIME} '1 day', {_id("use", "i")}, {_id("use", "i")}, 1, now(), now()
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO idempotent_answers
  SELECT {_ORG}, rpad('key-' || i, 64, '-'), rpad('r', 64, 'r'), 'x', {_TIME} '1 minute', now()
  FROM generate_series(1, {ROWS}) AS i;
-- What the statements change while they are explained changes no plan: else one depends on how fast the machine is.
DO $$ DECLARE each text; BEGIN
  FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
    EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', each);
  END LOOP;
END $$;
ANALYZE;
"""
