"""Many rows, none, their order, and how many a statement changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lib.store.tenant import Org
from tests.contract.support.store_client import Call, query
from tests.contract.support.store_rows import models, usage, usage_statement, write_models
from tests.contract.support.store_targets import INSERT_MODEL, NOW, Target, model_statement

MANY = 10_000
ROW = {"id": str, "version": int}


def test_no_rows(target: Target, org: Org) -> None:
    sql = "SELECT id, version FROM models WHERE org_id = ?"
    assert target.client.query(org, ROW, sql, org.id) == []
    assert target.client.do(Call("one", org, query(org, ROW, sql, org.id).statements, ROW)) is None
    total = "SELECT count(*) AS number, max(id) AS last FROM models WHERE org_id = ?"
    assert target.client.query(org, {"number": int, "last": str}, total, org.id) == [(0, None)]


def test_one_row_of_several(target: Target, org: Org) -> None:
    write_models(target, org, [("a", 1), ("b", 2)])
    call = query(org, ROW, "SELECT id, version FROM models WHERE org_id = ? ORDER BY id DESC", org.id)
    assert target.client.do(Call("one", org, call.statements, ROW)) == ("b", 2)


def test_ten_thousand_rows(target: Target, org: Org) -> None:
    """All of them, once each, in order, with their own values."""
    rows = [(f"model-{number:05}-é", number + 1) for number in range(MANY)]
    write_models(target, org, rows[::2] + rows[::-2])
    found = target.client.query(org, ROW, "SELECT id, version FROM models WHERE org_id = ? ORDER BY id", org.id)
    assert found == sorted(rows)
    assert target.client.execute(org, "DELETE FROM models WHERE org_id = ? AND version > 1", org.id) == MANY - 1


NAMES = ["a", "B", "b", "A", "Z", "ä", "z", "aa", "a b", "a-b", "a_b", "é", "e\u0301", "ß", "ss", "1", "10", "2",
         "\uffff", "\U00010000", "🜁", "Ā", "~", " "]  # fmt: skip


def test_text_sorts_by_code_point(target: Target, org: Org) -> None:
    """Whatever the server's language: letters of both cases, accents, and what UTF-16 would sort otherwise."""
    write_models(target, org, [(name, 1) for name in NAMES])
    assert [name for name, _, _ in models(target, org)] == sorted(NAMES)
    for name in NAMES:
        sql = "SELECT id FROM models WHERE org_id = ?1 AND id > ?2 ORDER BY id DESC"
        found = target.client.query(org, {"id": str}, sql, org.id, name)
        assert found == [(other,) for other in sorted(NAMES, reverse=True) if other > name]
    [extremes] = target.client.query(
        org,
        {"least": str, "most": str},
        "SELECT min(id) AS least, max(id) AS most FROM models WHERE org_id = ?",
        org.id,
    )
    assert extremes == (min(NAMES), max(NAMES))


def test_text_compares_exactly(target: Target, org: Org) -> None:
    """Neither case, nor accents, nor a trailing space are overlooked; a composed letter is another than its parts."""
    write_models(target, org, [("é", 1), ("e\u0301", 2), ("E\u0301", 3), ("é ", 4)])
    sql = "SELECT version FROM models WHERE org_id = ?1 AND id = ?2"
    assert target.client.query(org, {"version": int}, sql, org.id, "é") == [(1,)]


def test_pages_by_a_pair_of_columns(target: Target, org: Org) -> None:
    """Keyset paging: a row comparison on (time, id) meets every row once, also where times are equal."""
    key = target.new_key(org)
    times = [NOW + timedelta(microseconds=number // 4) for number in range(22)]
    written = [(time, target.new_key(org)) for time in times]
    target.client.batch(org, *(usage_statement(org, key, record, started_at=time) for time, record in written))
    sql = (
        "SELECT started_at, id FROM usage_records WHERE org_id = ?1 AND (started_at, id) < (?2, ?3)"
        " ORDER BY started_at DESC, id DESC LIMIT ?4"
    )
    pages, last = [], (NOW + timedelta(days=1), "~")
    while page := target.client.query(org, {"started_at": datetime, "id": str}, sql, org.id, *last, 5):
        pages.append(page)
        last = page[-1]
    assert [len(page) for page in pages] == [5, 5, 5, 5, 2]
    assert [row for page in pages for row in page] == sorted(written, reverse=True)


def test_nulls_in_an_aggregate_and_a_left_join(target: Target, org: Org) -> None:
    usage(target, org, cost_nano_usd=None)
    usage(target, org, cost_nano_usd=7)
    sql = "SELECT sum(cost_nano_usd) AS total, count(cost_nano_usd) AS priced FROM usage_records WHERE org_id = ?"
    assert target.client.query(org, {"total": int, "priced": int}, sql, org.id) == [(7, 1)]
    target.new_model(org)
    sql = (
        "SELECT models.id, model_prices.id AS price_id FROM models LEFT JOIN model_prices"
        " ON model_prices.id = models.price_id AND model_prices.org_id = models.org_id WHERE models.org_id = ?"
    )
    assert target.client.query(org, {"id": str, "price_id": str}, sql, org.id) == [("m", None)]


UPSERT = INSERT_MODEL + " ON CONFLICT (org_id, id) DO UPDATE SET provider = excluded.provider"


def test_how_many_rows_were_changed(target: Target, org: Org) -> None:
    """Those that the statement itself wrote."""
    insert = model_statement(org, "a").values
    change = "UPDATE models SET provider = ?2 WHERE org_id = ?1"
    drop = "DELETE FROM models WHERE org_id = ?1 AND id = ?2"
    steps = [
        (INSERT_MODEL, insert, 1),
        (INSERT_MODEL + " ON CONFLICT (org_id, id) DO NOTHING", insert, 0),
        (UPSERT, insert, 1),
        (UPSERT, model_statement(org, "b").values, 1),
        (UPSERT + " WHERE models.version = 2", insert, 0),
        (change, (org.id, "sim"), 2),  # also where the new value is the old one
        (change + " AND version = 2", (org.id, "sim"), 0),
        (drop, (org.id, "nothing"), 0),
        (drop, (org.id, "a"), 1),
    ]
    for sql, values, changed in steps:
        assert target.client.execute(org, sql, *values) == changed, sql
    assert models(target, org) == [("b", "sim", 1)]


@pytest.mark.parametrize("count", [1, 7])
def test_rows_that_a_write_returns(target: Target, org: Org, count: int) -> None:
    """RETURNING gives the rows, and the number of changes is the same as without it."""
    write_models(target, org, [(str(number), 1) for number in range(count)])
    sql = "UPDATE models SET version = version + 1 WHERE org_id = ? RETURNING id, version"
    assert sorted(target.client.query(org, ROW, sql, org.id)) == [(str(number), 2) for number in range(count)]
    assert target.client.execute(org, sql, org.id) == count
