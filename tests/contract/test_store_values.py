"""What goes in comes out: values of each type, through the same columns on both stores."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lib.store.database import CheckViolation, UnstorableValue
from lib.store.tenant import Org
from tests.contract.support.store_client import execute
from tests.contract.support.store_rows import usage, used
from tests.contract.support.store_targets import NOW, Target

MOST = 2**53
TEXTS = {
    "empty": "",
    "ascii": "abc",
    "quotes": """it's "quoted" \\ `so` -- ; /* */ %s %% $1 ?1 :name""",
    "emoji": "👩‍👩‍👧‍👦🇩🇪",
    "combining": "e\u0301 a\u0308\u0323",
    "composed": "é ä",
    "line separators": "a\u2028b\u2029c\u0085d",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "right to left": "שלום \u202egnirts\u202c",
    "not characters": "\ufffe\uffff\ufeff\U0010ffff",
    "beyond the first plane": "𝄞🜁",
    "megabyte": "é🜁x " * (2**20 // 8),
}


def answer_of(target: Target, org: Org, answer: str | None) -> str | None:
    """Store a text (or NULL) in a column that takes any, and read it back."""
    target.client.execute(
        org,
        "INSERT INTO idempotent_answers (org_id, key_hash, request_hash, answer, created_at, updated_at)"
        " VALUES (?1, ?2, ?2, ?3, ?4, ?4)",
        *(org.id, "a" * 64, answer, NOW),
    )
    sql = "SELECT answer FROM idempotent_answers WHERE org_id = ?1 AND key_hash = ?2"
    [(stored,)] = target.client.query(org, {"answer": str}, sql, org.id, "a" * 64)
    return str(stored) if stored is not None else None


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text(target: Target, org: Org, text: str) -> None:
    """Byte for byte: nothing is normalised, escaped, trimmed or cut."""
    assert answer_of(target, org, text) == text


def test_null_is_not_an_empty_text(target: Target, org: Org) -> None:
    assert answer_of(target, org, None) is None
    usage(target, org, cost_nano_usd=None, status=None, price_version=None)
    assert used(target, org, cost_nano_usd=int, status=int, price_version=str) == (None, None, None)


@pytest.mark.parametrize(
    "value", ["a\0b", "\0", "half \ud83d", "\udc00", MOST + 1, -MOST - 1, 2**64, math.inf, -math.inf, math.nan]
)
def test_what_one_store_could_not_hold_none_takes(target: Target, org: Org, value: Any) -> None:
    """Refused before it is sent, alike, and the message does not repeat the value."""
    sql = "UPDATE models SET provider = ?2 WHERE org_id = ?1"
    answer = target.client.ask(execute(org, sql, org.id, value))
    [refusal] = answer.outcomes
    assert type(refusal) is UnstorableValue
    assert str(value) not in str(refusal)
    assert (answer.queries, answer.connected) == (0, False)


@pytest.mark.parametrize("number", [0, 1, 2**31 - 1, 2**31, 2**32, MOST - 1, MOST])
def test_integers(target: Target, org: Org, number: int) -> None:
    """Exact, up to what a JavaScript number holds."""
    usage(target, org, input_tokens=number)
    assert used(target, org, input_tokens=int) == (number,)
    sql = "SELECT count(*) AS number FROM usage_records WHERE org_id = ?1 AND input_tokens = ?2"
    assert target.client.query(org, {"number": int}, sql, org.id, number) == [(1,)]


@pytest.mark.parametrize("number", [-1, -(2**31) - 1, -MOST])
def test_negative_integers(target: Target, org: Org, number: int) -> None:
    sql = "SELECT CAST(?1 AS BIGINT) AS number"
    assert target.client.query(org, {"number": int}, sql, number) == [(number,)]


@pytest.mark.parametrize("number", [0.0, 0.1, -2.5, 1e300, 5e-324, 1 / 3, 123456789.123456789, float(MOST)])
def test_floats(target: Target, org: Org, number: float) -> None:
    """To the last bit."""
    sql = "SELECT CAST(?1 AS DOUBLE PRECISION) AS number"
    assert target.client.query(org, {"number": float}, sql, number) == [(number,)]


@pytest.mark.parametrize("streamed", [True, False])
def test_booleans(target: Target, org: Org, streamed: bool) -> None:
    """One of the columns is INTEGER on D1; nobody sees it."""
    usage(target, org, streamed=streamed, estimated=not streamed)
    row = used(target, org, streamed=bool, estimated=bool)
    assert row == (streamed, not streamed)
    assert [type(value) for value in row] == [bool, bool]
    sql = "SELECT count(*) AS number FROM usage_records WHERE org_id = ?1 AND streamed = ?2"
    assert target.client.query(org, {"number": int}, sql, org.id, streamed) == [(1,)]


@pytest.mark.parametrize(
    "time",
    [
        NOW,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2026, 11, 20, 1, 2, 3, 1, timezone(timedelta(hours=5, minutes=45))),
        datetime(2026, 11, 20, 23, 0, 0, 0, timezone(timedelta(hours=-11))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
    ids=str,
)
def test_times(target: Target, org: Org, time: datetime) -> None:
    """The same moment to the microsecond, in UTC, whatever the zone it came in."""
    usage(target, org, started_at=time)
    [stored] = used(target, org, started_at=datetime)
    assert stored == time
    assert stored.utcoffset() == timedelta(0)
    sql = "SELECT count(*) AS number FROM usage_records WHERE org_id = ?1 AND started_at = ?2"
    assert target.client.query(org, {"number": int}, sql, org.id, time) == [(1,)]
    day = target.client.dialect.utc_day("started_at")
    sql = f"SELECT {day} AS day FROM usage_records WHERE org_id = ?1"
    assert target.client.query(org, {"day": str}, sql, org.id) == [(f"{time.astimezone(UTC):%Y-%m-%d}".zfill(10),)]


def test_times_are_in_order_across_zones(target: Target, org: Org) -> None:
    """On D1 they are texts: these sort as the moments do."""
    zone = timezone(timedelta(hours=9))
    times = [NOW + timedelta(microseconds=1), NOW.astimezone(zone), NOW - timedelta(seconds=1), NOW + timedelta(days=1)]
    for time in times:
        usage(target, org, started_at=time)
    sql = "SELECT started_at FROM usage_records WHERE org_id = ?1 AND started_at >= ?2 ORDER BY started_at"
    found = target.client.query(org, {"started_at": datetime}, sql, org.id, NOW.astimezone(zone))
    assert found == [(time,) for time in sorted(times)[1:]]


@pytest.mark.parametrize(
    "scopes",
    [[], ["a"], ["b", "a", 'with "quotes"', "back\\slash", "é🜁", "\u2028", "it's"]],
    ids=["none", "one", "odd"],
)
def test_json_column(target: Target, org: Org, scopes: list[str]) -> None:
    key = target.new_key(org, scopes=json.dumps(scopes))
    sql = "SELECT scopes FROM api_keys WHERE org_id = ?1 AND id = ?2"
    assert target.client.query(org, {"scopes": frozenset}, sql, org.id, key) == [(frozenset(scopes),)]


@pytest.mark.parametrize("text", ["", "{", "[1,]", "plain"])
def test_what_is_no_json_is_refused(target: Target, org: Org, text: str) -> None:
    with pytest.raises(CheckViolation):
        target.new_key(org, scopes=text)


def test_sums_beyond_exact_numbers_come_as_text(target: Target, org: Org) -> None:
    """2^53 twice and one: no JavaScript number holds it, so such a sum is cast to text and read as an int."""
    for number in (MOST, MOST, 1):
        usage(target, org, cost_nano_usd=number)
    sql = "SELECT CAST(sum(cost_nano_usd) AS TEXT) AS total FROM usage_records WHERE org_id = ?"
    assert target.client.query(org, {"total": int}, sql, org.id) == [(2 * MOST + 1,)]
