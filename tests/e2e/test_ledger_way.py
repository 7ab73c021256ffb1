"""A record's way on the real runtime: gate, queue, store, sums of days, archive; and what a crash does on each step.

Days pass by moving the records' times in the store into the past.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lib.kernel.ids import new_id
from lib.store.dialect import time_text
from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.log import told
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import archived, kept_in_gates, stored_records
from tools.stack import Stack

KEEP_DAYS = 7
OLD, RECENT = 30, 5  # days ago
# The gate waits half a second, and the queue a second for more. A slow machine takes its time.
SECONDS = 20


@pytest.fixture(scope="module")
def ledger_stack(stacks: Stacks) -> Iterator[Stack]:
    """A Headgate of this module's own, to be killed and to have its records moved into the past."""
    variables = {"LEDGER_RETENTION_DAYS": str(KEEP_DAYS)}
    with stacks.new("ledger", variables=variables) as stack:
        yield stack


@pytest.fixture(scope="module")
def own(ledger_stack: Stack) -> Iterator[Headgate]:
    with httpx.Client(timeout=60) as http:
        yield Headgate(http, ledger_stack.base_url, ledger_stack.api_key)


def call(own: Headgate, model: str, times: int) -> None:
    for _ in range(times):
        assert own.chat(model).status_code == 200


def arrived(stack: Stack, model: str, number: int) -> list[str]:
    """Wait for the records to be in the store, and gone from the gate; nobody asks the gate to hurry."""
    found = until(
        lambda: found if len(found := stored_records(stack, model)) == number else None,
        f"{number} records in the store",
        SECONDS,
    )
    until(lambda: kept_in_gates(stack, model) == 0, "the gate drops what the store has", SECONDS)
    return found


def test_records_reach_the_store_by_the_queue(ledger_stack: Stack, own: Headgate) -> None:
    """Without anybody asking for them, and the gate forgets them then."""
    model = sim_model()
    call(own, model, 5)
    arrived(ledger_stack, model, 5)
    told(ledger_stack, "QUEUE headgate-ledger")  # of a consumer that has returned


def test_who_asks_first_sees_them_once(ledger_stack: Stack, own: Headgate) -> None:
    """The report is up to date at once; the message that comes afterwards adds nothing."""
    model = sim_model()
    call(own, model, 3)
    assert len(own.records_when(3, model=model)) == 3
    call(own, model, 1)
    time.sleep(0.7)  # now they are on their way
    assert len(own.records_when(4, model=model)) == 4
    time.sleep(2.5)  # now the messages have come
    assert len(arrived(ledger_stack, model, 4)) == 4


def test_a_crash_while_records_are_under_way_loses_none(ledger_stack: Stack, own: Headgate) -> None:
    """The queue here is in memory, so its messages die with the Worker: the gate sends them again.

    After a minute by itself, or as soon as it is called.
    """
    model = sim_model()
    call(own, model, 8)
    until(lambda: kept_in_gates(ledger_stack, model) == 8 or stored_records(ledger_stack, model), "they are settled")
    time.sleep(0.6)  # the alarm has rung, the queue still waits for more
    ledger_stack.kill()
    before = stored_records(ledger_stack, model)
    ledger_stack.start()
    call(own, sim_model(), 1)
    found = until(
        lambda: rows if len(rows := stored_records(ledger_stack, model)) == 8 else None, "all records", SECONDS
    )
    assert set(before) <= set(found)


@dataclass(frozen=True)
class History:
    """Calls that were made long ago and lately, and what the report said of them before any day was summed."""

    old: list[str]
    models: tuple[str, str, str]
    reports: list[list[Json]]
    ledger: list[Json]


def reports(own: Headgate) -> list[list[Json]]:
    """What was used, in several ways, up to today."""
    start = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
    return [
        own.all_pages("/api/v1/usage", limit=2, group_by=groups, **{"from": start})
        for groups in ("day,model,key", "model", "day", "")
    ]


def ledger_of(own: Headgate) -> list[Json]:
    """All records: listed, each by itself, and as the export has them, which must be the same."""
    listed = own.all_pages("/api/v1/ledger", limit=3)
    assert [own.get(f"/api/v1/ledger/{entry['id']}").json()["data"] for entry in listed] == listed
    *exported, end = map(json.loads, own.get("/api/v1/ledger/export").text.splitlines())
    assert (exported, end) == (listed[::-1], {"meta": {"next_cursor": None}})
    for model in {str(entry["model"]) for entry in listed}:
        some = [entry for entry in listed if entry["model"] == model]
        assert own.all_pages("/api/v1/ledger", limit=2, model=model, estimated="false") == some
    return listed


def move_back(stack: Stack, model: str, days: int) -> None:
    """Have a model's records begin so many days ago, and the job know of it as if they had come so."""
    noon = (datetime.now(UTC) - timedelta(days=days)).replace(hour=12, minute=0, second=0, microsecond=0)
    at, made = time_text(noon), new_id(noon)[: len("01234567-0123")]
    stack.target().execute(
        f"UPDATE usage_records SET started_at = '{at}', id = '{made}' || substr(id, {len(made) + 1})"
        f" WHERE model = '{model}';"
    )
    stack.target().execute(f"UPDATE usage_marks SET unsummed_at = '{at}', oldest_at = '{at}' WHERE oldest_at > '{at}';")


@pytest.fixture(scope="module")
def history(ledger_stack: Stack, own: Headgate) -> History:
    models = (sim_model(), sim_model(), sim_model())
    for model in models:
        call(own, model, 3)
    for model in models:
        arrived(ledger_stack, model, 3)
    move_back(ledger_stack, models[0], OLD)
    move_back(ledger_stack, models[1], RECENT)
    history = History(stored_records(ledger_stack, models[0]), models, reports(own), ledger_of(own))
    ledger_stack.run_daily_work()
    return history


def test_a_report_is_the_same_after_days_are_summed_and_records_went(own: Headgate, history: History) -> None:
    """Line by line, in every grouping, across pages."""
    assert reports(own) == history.reports
    assert sum(line["requests"] for line in history.reports[0] if line["model"] in history.models) == 9


def test_old_records_have_left_the_store_and_are_read_as_ever(
    ledger_stack: Stack, own: Headgate, history: History
) -> None:
    """Those of days older than LEDGER_RETENTION_DAYS: in pages, by filters, one by one, and exported."""
    assert ledger_of(own) == history.ledger
    assert [len(stored_records(ledger_stack, model)) for model in history.models] == [0, 3, 3]


def test_the_archive_holds_what_is_gone(ledger_stack: Stack, history: History) -> None:
    """Gzipped NDJSON in R2, named by organisation and day."""
    day = (datetime.now(UTC) - timedelta(days=OLD)).date().isoformat()
    objects = archived(ledger_stack, f"ledger/{ledger_stack.org_id}/{day}/")
    entries = [json.loads(line) for body in objects.values() for line in gzip.decompress(body).splitlines()]
    assert [entry["id"] for entry in entries] == history.old
    assert {entry["model"] for entry in entries} == {history.models[0]}
    assert {entry["org_id"] for entry in entries} == {ledger_stack.org_id}
    assert all(entry["cost_nano_usd"] > 0 and entry["started_at"].startswith(day) for entry in entries)


def test_the_next_days_work_counts_nothing_twice(ledger_stack: Stack, own: Headgate, history: History) -> None:
    """What came meanwhile is in the report, once."""
    call(own, history.models[1], 1)
    arrived(ledger_stack, history.models[1], 4)
    ledger_stack.run_daily_work()
    assert sum(line["requests"] for line in reports(own)[1] if line["model"] in history.models) == 10


def test_records_may_live_in_the_archive(ledger_stack: Stack, own: Headgate, history: History) -> None:
    """The setting is changed: what is settled leaves the store, and nobody sees a difference; nor a way back.

    The Worker is killed while they move.
    """
    report, ledger = reports(own), ledger_of(own)
    ledger_stack.set_variables(LEDGER_RECORDS="archive")
    with ThreadPoolExecutor() as beside:
        work = beside.submit(ledger_stack.run_daily_work)
        day = (datetime.now(UTC) - timedelta(days=RECENT)).date().isoformat()
        until(lambda: archived(ledger_stack, f"ledger/{ledger_stack.org_id}/{day}/"), "an object", SECONDS)
        ledger_stack.kill()
        work.exception()  # it may have been quicker
    ledger_stack.start()
    ledger_stack.run_daily_work()
    assert [len(stored_records(ledger_stack, model)) for model in history.models] == [0, 1, 3]
    assert (reports(own), ledger_of(own)) == (report, ledger)
    ledger_stack.set_variables(LEDGER_RECORDS="store")
    assert (reports(own), ledger_of(own)) == (report, ledger)
