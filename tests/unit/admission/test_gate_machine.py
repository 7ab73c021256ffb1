"""One property over all histories: every request that was opened ends in exactly one record, and in the right one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from lib.admission.gate import Gate
from lib.ledger import usage_store
from lib.ledger.usage_record import UsageRecord
from lib.store.database import StoreUnavailable
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.fakes import NOW
from tests.unit.store.seeds import seed_key, seed_org, usage_record
from tests.unit.store.sqlite_binding import new_database


@dataclass(frozen=True)
class Request:
    """A request with the record of its opening and the one of its settlement."""

    deadline: int
    lost: UsageRecord
    end: UsageRecord

    @property
    def id(self) -> str:
        return self.lost.id


class Histories(RuleBasedStateMachine):
    """A gate, its storage and the store; any rule may run at any time, also twice, also after a crash."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database, self.binding = new_database()
        org_id = self.loop.run_until_complete(seed_org(self.database))
        self.key = self.loop.run_until_complete(seed_key(self.database, org_id)).principal
        self.sql = SqliteSql()
        self.gate = Gate(self.sql)
        self.now = 0
        self.opened: dict[str, Request] = {}
        self.settled: set[str] = set()
        self.carried: str | None = None

    def teardown(self) -> None:
        self.gate.expire(1 << 50)
        while (records := self.gate.outbox()) is not None:
            self._store(records)
            self.gate.delivered(records)
        found = {row["id"]: row["cause"] for row in self.binding.rows("SELECT id, cause FROM usage_records")}
        expected = {name: "finished" if name in self.settled else "lost" for name in self.opened}
        self.loop.close()
        assert found == expected

    def _store(self, records: str) -> None:
        self.loop.run_until_complete(usage_store.deliver(self.database, self.key.org_id, records, NOW))

    @rule(target=requests, patience=st.integers(0, 50))
    def open(self, patience: int) -> Request:
        lost = usage_record(self.key.org_id, self.key.key_id, cause="lost", estimated=True, status=None)
        request = Request(self.now + patience, lost, replace(lost, cause="finished", estimated=False, status=200))
        self._open(request)
        self.opened[request.id] = request
        return request

    @rule(request=requests)
    def open_again(self, request: Request) -> None:
        self._open(request)

    def _open(self, request: Request) -> None:
        version = int(self.gate.handle(0, "[]", self.now))
        row = f'[["{request.id}",{request.deadline},{request.lost.to_json()}]]'
        assert self.gate.handle(version, row, self.now) == version

    @rule(target=requests)
    def open_by_an_old_policy(self) -> object:
        version = int(self.gate.handle(0, "[]", self.now))
        assert self.gate.bump() == version + 1
        lost = usage_record(self.key.org_id, self.key.key_id, cause="lost")
        assert self.gate.handle(version, f'[["{lost.id}",9,{lost.to_json()}]]', self.now) == version + 1
        return multiple()

    @rule(request=requests)
    def settle(self, request: Request) -> None:
        self.gate.handle(0, f'[["{request.id}",null,{request.end.to_json()}]]', self.now)
        self.settled.add(request.id)

    @rule(some=st.lists(requests, max_size=4))
    def settle_in_one_batch(self, some: list[Request]) -> None:
        rows = ",".join(f'["{request.id}",null,{request.end.to_json()}]' for request in some)
        self.gate.handle(0, f"[{rows}]", self.now)
        self.settled.update(request.id for request in some)

    @rule(passed=st.integers(0, 60))
    def time_passes(self, passed: int) -> None:
        self.now += passed
        self.gate.expire(self.now)

    @rule()
    def take_a_batch(self) -> None:
        """Read the outbox; other messages may come before the store answers."""
        self.carried = self.gate.outbox()

    @rule(answered=st.booleans())
    def bring_it_to_the_store(self, answered: bool) -> None:
        """The store takes it; its answer may get lost, and then the batch is brought again."""
        if self.carried is not None:
            self._store(self.carried)
            if answered:
                self.gate.delivered(self.carried)
        self.carried = None

    @rule()
    def the_store_is_away(self) -> None:
        self.binding.failure = "D1_ERROR: Network connection lost."
        try:
            self._store(self.gate.outbox() or "[]")
        except StoreUnavailable:
            self.carried = None

    @rule()
    def crash(self) -> None:
        self.gate = Gate(self.sql)
        self.carried = None

    @invariant()
    def nothing_is_lost_on_the_way(self) -> None:
        here = {str(row[0]) for row in self.sql.rows("SELECT id FROM requests")}
        there = {str(row["id"]) for row in self.binding.rows("SELECT id FROM usage_records")}
        assert here | there == set(self.opened)

    @invariant()
    def the_store_never_says_otherwise_than_the_request_ended(self) -> None:
        for row in self.binding.rows("SELECT id, cause FROM usage_records"):
            assert row["cause"] == "lost" or row["id"] in self.settled


Histories.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
