"""From the gate's outbox into the store: once, whatever is brought twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.formats.openai.chat_answer import usage_of_answer
from lib.gateway.formats.openai.usage import MOST_TOKENS
from lib.kernel.ids import new_id
from lib.ledger import usage_store
from lib.ledger.delivery import deliver_what_fits
from lib.ledger.usage import Cause, Price
from lib.ledger.usage_record import UsageRecord
from lib.store.database import CheckViolation, ForeignKeyViolation, StoreError, StoreUnavailable
from lib.store.dialect import time_text
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_key, seed_org, usage_record
from tests.unit.store.sqlite_binding import new_database

LATER = NOW + timedelta(hours=1)


class Store:
    """An organisation with one key, and the table of its records."""

    def __init__(self) -> None:
        self.database, self.binding = new_database()
        org = run(seed_org(self.database))
        self.key = run(seed_key(self.database, org)).principal

    def record(self, **changes: object) -> UsageRecord:
        return usage_record(self.key.org_id, self.key.key_id, **changes)

    def deliver(self, *records: UsageRecord, now: datetime = LATER) -> None:
        text = f"[{','.join(record.to_json() for record in records)}]"
        run(usage_store.deliver(self.database, self.key.org_id, text, now))

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.binding.rows("SELECT * FROM usage_records ORDER BY id")

    @property
    def last_used(self) -> object:
        [row] = self.binding.rows("SELECT last_used_at FROM api_keys")
        return row["last_used_at"]


def test_a_record_becomes_a_row_column_by_column() -> None:
    """Booleans as 0 and 1, missing values as null."""
    store = Store()
    record = store.record(status=None, cost_nano_usd=None, price_version=None, first_byte_ms=None)
    store.deliver(record)
    [row] = store.rows
    written = {field.name: getattr(record, field.name) for field in fields(record)}
    assert row == written | {"created_at": time_text(LATER), "updated_at": time_text(LATER)}
    assert type(row["streamed"]) is int


def test_bringing_a_record_again_is_harmless() -> None:
    """In the same batch, or in another that holds new ones too."""
    store = Store()
    one, other = store.record(), store.record()
    store.deliver(one, one)
    before = store.rows
    store.deliver(one, other)
    assert len(store.rows) == 2
    assert before[0] in store.rows


@pytest.mark.parametrize("cause", ["finished", "lost"])
def test_a_record_that_is_brought_again_is_not_even_touched(cause: str) -> None:
    """Its row tells when it really changed last."""
    store = Store()
    record = store.record(cause=cause)
    store.deliver(record)
    store.deliver(record, now=LATER + timedelta(hours=1))
    assert store.rows[0]["updated_at"] == time_text(LATER)


def test_a_record_of_a_request_that_was_given_up_is_corrected() -> None:
    """By the settlement that came late; who and what stays as it was."""
    store = Store()
    lost = store.record(cause="lost", estimated=True, status=None, output_tokens=0, cost_nano_usd=1)
    end = replace(lost, cause="finished", estimated=False, status=200, output_tokens=20, cost_nano_usd=9000)
    store.deliver(lost)
    store.deliver(end)
    [row] = store.rows
    assert {name: row[name] for name in json.loads(end.to_json())} == json.loads(end.to_json())


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.LOST])
def test_a_settled_record_is_never_changed(cause: Cause) -> None:
    """Neither by a loss that is told late, nor by another settlement."""
    store = Store()
    record = store.record(cause=cause.value)
    store.deliver(record)
    before = store.rows
    store.deliver(replace(record, cause="lost", cost_nano_usd=1))
    store.deliver(replace(record, cause="finished", cost_nano_usd=2))
    assert store.rows == before


def test_a_batch_is_written_whole_or_not_at_all() -> None:
    """So that "delivered" is true of all of it."""
    store = Store()
    with pytest.raises(ForeignKeyViolation):
        store.deliver(store.record(), replace(store.record(), key_id=new_id(NOW)))
    with pytest.raises(CheckViolation):
        store.deliver(store.record(), store.record(input_tokens=-1))
    assert store.rows == []
    assert store.last_used is None


@given(st.lists(st.sampled_from([None, ForeignKeyViolation, CheckViolation]), max_size=20))
def test_what_fits_is_written_and_the_rest_is_named(faults: list[type[StoreError] | None]) -> None:
    """Wherever the bad ones stand, each with its own reason."""
    store = Store()
    made: dict[type[StoreError] | None, Callable[[], UsageRecord]] = {
        None: store.record,
        ForeignKeyViolation: lambda: replace(store.record(), key_id=new_id(NOW)),
        CheckViolation: lambda: store.record(input_tokens=-1),
    }
    records = [made[fault]() for fault in faults]
    parsed = [json.loads(record.to_json()) for record in records]
    refused = run(deliver_what_fits(store.database, None, store.key.org_id, parsed, LATER))
    named = {record.id: fault for record, fault in zip(records, faults, strict=True)}
    assert {record["id"]: type(error) for record, error in refused} == {key: why for key, why in named.items() if why}
    assert {row["id"] for row in store.rows} == {key for key, why in named.items() if not why}


def test_a_message_whose_keys_are_gone_costs_few_queries() -> None:
    """A store that was put back may have lost them; D1 takes 1,000 in an invocation."""
    store = Store()
    parsed = [json.loads(replace(store.record(), key_id=new_id(NOW)).to_json()) for _ in range(200)]
    before = len(store.binding.statements)
    assert len(run(deliver_what_fits(store.database, None, store.key.org_id, parsed, LATER))) == 200
    assert len(store.binding.statements) - before < 10


def test_a_store_that_is_away_refuses_nothing() -> None:
    """The records are kept, and come again."""
    store = Store()
    store.binding.failure = "D1_ERROR: Network connection lost."
    with pytest.raises(StoreUnavailable):
        run(deliver_what_fits(store.database, None, store.key.org_id, [json.loads(store.record().to_json())], NOW))


def test_an_answer_that_is_lost_does_no_harm() -> None:
    """The store has the batch, the gate does not know it and brings it again."""
    store = Store()
    record = store.record()
    store.binding.failure_after = "D1_ERROR: Network connection lost."
    with pytest.raises(StoreUnavailable):
        store.deliver(record)
    store.deliver(record)
    assert len(store.rows) == 1


def test_a_batch_of_two_hundred_fits_the_stores_limits() -> None:
    """One parameter, however many rows (the fake counts, as D1 does)."""
    store = Store()
    store.deliver(*[store.record() for _ in range(200)])
    assert len(store.rows) == 200


@given(st.permutations(range(4)), st.integers(1, 3))
def test_a_key_knows_when_it_was_last_used(order: list[int], size: int) -> None:
    """The latest start of its requests, in whatever order and batches they come."""
    store = Store()
    records = [store.record(started_at=time_text(NOW + timedelta(minutes=minute))) for minute in order]
    for start in range(0, 4, size):
        store.deliver(*records[start : start + size])
    assert store.last_used == time_text(NOW + timedelta(minutes=3))


def test_an_unused_key_has_no_date() -> None:
    """And the use of another key is not its own."""
    store = Store()
    other = run(seed_key(store.database, store.key.org_id)).principal
    store.deliver(store.record())
    [row] = store.binding.rows("SELECT last_used_at FROM api_keys WHERE id = ?", other.key_id)
    assert row["last_used_at"] is None


def test_an_empty_batch_is_no_work() -> None:
    """And no error."""
    store = Store()
    store.deliver()
    assert store.rows == []


@pytest.mark.parametrize("tokens", [1, 2**20, MOST_TOKENS])
@pytest.mark.parametrize("amount", [0, 1, 1_000_000_000])
def test_whatever_usage_is_believed_can_be_stored(tokens: int, amount: int) -> None:
    """A provider that tells nonsense must not make a record that the store refuses: nothing would be charged."""
    usage = usage_of_answer(json.dumps({"usage": {"prompt_tokens": tokens, "completion_tokens": tokens}}).encode())
    assert usage is not None
    store = Store()
    price = Price(amount, amount, None, "v1")  # the most that the API allows is a dollar a token
    end = store.record().ended(
        Cause.FINISHED,
        usage,
        price,
        provider="p",
        upstream_model="u",
        status=200,
        estimated=False,
        first_byte_ms=1,
        duration_ms=1,
    )
    try:
        store.deliver(end)
    except StoreError as refusal:
        pytest.fail(f"refused: {refusal}")
    [row] = store.rows
    assert row["cost_nano_usd"] == end.cost_nano_usd


@pytest.mark.parametrize("model", ["sim/é😀", 'sim/"\\', "sim/\n", "sim/'; DROP TABLE usage_records; --", "sim/\u2028"])
def test_any_model_name_is_stored_as_it_is(model: str) -> None:
    """Through JSON in SQL and back."""
    store = Store()
    store.deliver(store.record(model=model))
    assert store.rows[0]["model"] == model
