"""The record of one request: what it says at its opening and at its end."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from lib.ledger.usage import Cause, Price, Usage
from lib.ledger.usage_record import UsageRecord
from tests.unit.store.seeds import usage_record
from tests.unit.store.sqlite_binding import new_database

OPENED = usage_record("org", "key", cause="lost", estimated=True, status=None, first_byte_ms=None)
USAGE = Usage(input=10, output=20, cached_input=4, reasoning=5)


def ended(price: Price | None) -> UsageRecord:
    return OPENED.ended(
        Cause.FINISHED,
        USAGE,
        price,
        provider=OPENED.provider,
        upstream_model=OPENED.upstream_model,
        status=200,
        estimated=False,
        first_byte_ms=7,
        duration_ms=9,
    )


def test_an_end_replaces_what_is_known_only_then() -> None:
    """Who asked for what, and when, stays."""
    end = ended(Price(100, 400, 50, "v7"))
    assert (end.cause, end.status, end.estimated, end.first_byte_ms, end.duration_ms) == ("finished", 200, False, 7, 9)
    assert (end.input_tokens, end.output_tokens, end.cached_input_tokens, end.reasoning_tokens) == (10, 20, 4, 5)
    assert (end.cost_nano_usd, end.price_version) == (6 * 100 + 4 * 50 + 20 * 400, "v7")
    kept = ("id", "org_id", "key_id", "endpoint", "model", "provider", "upstream_model", "streamed", "started_at")
    assert [getattr(end, name) for name in kept] == [getattr(OPENED, name) for name in kept]


def test_without_a_price_the_cost_is_unknown() -> None:
    """None, not nought."""
    assert (ended(None).cost_nano_usd, ended(None).price_version) == (None, None)


def test_its_json_has_a_member_for_each_column() -> None:
    """The store writes the columns by these names; the two it adds are its own times."""
    _, binding = new_database()
    columns = {str(row["name"]) for row in binding.rows("SELECT name FROM pragma_table_info('usage_records')")}
    assert set(json.loads(OPENED.to_json())) == columns - {"created_at", "updated_at"}


@pytest.mark.parametrize("model", ["sim/é😀", 'sim/"\\', "sim/\n\t\x00", "sim/'; --", "sim/\u2028"])
def test_any_model_name_survives_its_json(model: str) -> None:
    """A client may write anything as a model of a provider that takes any."""
    record = usage_record("org", "key", model=model)
    assert UsageRecord(**json.loads(record.to_json())) == record
    assert [field.name for field in fields(record)] == list(json.loads(record.to_json()))
