"""After a restore: the store's rules hold, counters stay, and the ledger hears again of what the gate remembers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.ledger.day_sums import sum_days
from lib.ledger.retention import prune
from lib.reconcile.reconciliation import PAGE_CALLS, Reconciled, reconcile
from lib.reconcile.verification import Verdict
from tests.unit.fakes import run
from tests.unit.reconcile.test_ledger_check import COST, ORG, Subject

EACH_KEY = {"type": "key", "id": "*"}


class Restored(Subject):
    """Its store can be put back to what it was."""

    def rows(self, sql: str) -> list[Any]:
        return list(self.world.binding.connection.execute(sql))

    def reconcile(self) -> Reconciled:
        return run(reconcile(self.world.parts, self.world.org_id))

    def loses(self, where: str = "true") -> None:
        """The store goes back to a day before these calls."""
        self.sql(f"DELETE FROM usage_records WHERE {where}")


@pytest.fixture
def subject() -> Restored:
    return Restored()


@pytest.mark.parametrize(
    "scopes",
    [
        [ORG],
        [EACH_KEY],
        [ORG, EACH_KEY, {"type": "end_user", "id": "*"}, {"type": "model", "id": "sim/a"}],
        [{"type": "end_user", "id": "u", "model": "sim/a"}, ORG],
    ],
)
def test_counter_and_ledger_agree_again(subject: Restored, scopes: list[dict[str, Any]]) -> None:
    """For each kind of budget; and a second run finds nothing to do."""
    for scope in scopes:
        subject.budget(scope)
    for model, user in (("sim/a", "u"), ("sim/b", "u"), ("sim/a", "v")):
        subject.call(model, user)
    before = [check.spent for check in subject.check().budgets]
    subject.loses("model = 'sim/a'")
    assert subject.check().verdict is Verdict.DIFFERS

    done = subject.reconcile()

    assert (done.check.verdict, done.records > 0, done.cost) == (Verdict.AGREES, True, done.records * COST)
    assert [check.spent for check in done.check.budgets] == before
    again = subject.reconcile()
    assert (again.records, again.cost, again.check.verdict) == (0, 0, Verdict.AGREES)


def test_what_is_in_the_archive_is_not_lost(subject: Restored) -> None:
    """A gate that nobody has called since remembers the last calls for ever."""
    subject.budget(ORG)
    subject.call()
    subject.check()
    subject.world.clock.advance(days=5)
    parts, org_id, now = subject.world.parts, subject.world.org_id, subject.world.clock.now()
    assert parts.archive is not None
    run(sum_days(parts.database, org_id, now))
    assert run(prune(parts.database, parts.archive, org_id, now, 2)).records == 1
    assert (subject.reconcile().records, subject.rows("SELECT id FROM usage_records")) == (0, [])


def test_what_is_written_again_says_what_is_known_and_no_more(subject: Restored) -> None:
    """Whom it was for, as far as a budget told; its cost; and that nobody knows the rest."""
    subject.budget(ORG)
    subject.budget({"type": "end_user", "id": "*"})
    subject.call(user="alice")
    [(call_id,)] = subject.rows("SELECT id FROM usage_records") or [("",)]
    subject.loses()
    subject.reconcile()

    [row] = subject.world.ask("GET", "/api/v1/ledger").data
    assert (row["id"], row["end_user"], row["cost_nano_usd"]) == (call_id or row["id"], "alice", COST)
    assert (row["endpoint"], row["cause"], row["estimated"]) == ("restored", "lost", True)
    assert (row["model"], row["provider"], row["input_tokens"]) == ("unknown", "unknown", 0)
    [(name, revoked)] = subject.rows(f"SELECT name, revoked_at FROM api_keys WHERE id = '{row['key_id']}'")
    assert (name, bool(revoked)) == ("Calls whose key was lost in a restore", True)


def test_a_key_that_is_lost_too_is_there_again_and_opens_nothing(subject: Restored) -> None:
    """The ledger names it; it is revoked and has no secret."""
    subject.budget(EACH_KEY)
    key = subject.world.new_key("chat:write")
    body = {"model": "sim/a", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
    assert subject.world.ask("POST", "/v1/chat/completions", body, key=key.secret).status == 200
    key_id = key.principal.key_id
    subject.loses(f"key_id = '{key_id}'")
    subject.sql(f"DELETE FROM api_keys WHERE id = '{key_id}'")

    done = subject.reconcile()

    assert (done.records, done.check.verdict) == (1, Verdict.AGREES)
    assert [tuple(row) for row in subject.rows(f"SELECT revoked_at IS NULL FROM api_keys WHERE id = '{key_id}'")] == [
        (0,)
    ]
    assert subject.world.ask("POST", "/v1/chat/completions", body, key=key.secret).status == 401


def test_the_stores_rules_hold_and_what_was_spent_stays_spent(subject: Restored) -> None:
    """A budget that was lower then is lower again, and refuses by what was spent since."""
    subject.budget(ORG)
    subject.call()
    subject.loses()
    subject.sql(f"UPDATE budgets SET limit_nano_usd = {COST}")
    subject.call()  # the gate does not know yet
    subject.reconcile()

    body = {"model": "sim/a", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
    refused = subject.world.ask("POST", "/v1/chat/completions", body)
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")


def test_more_calls_than_a_page_are_all_found(subject: Restored) -> None:
    """And none twice."""
    subject.budget(ORG)
    for _ in range(PAGE_CALLS + 3):
        subject.call()
    subject.loses("rowid % 2 = 0")
    done = subject.reconcile()
    assert (done.check.verdict, done.records) == (Verdict.AGREES, (PAGE_CALLS + 3) // 2)
    assert len(json.dumps(done.records))
