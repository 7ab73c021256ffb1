"""What was used, summed and listed: exact, by organisation, and in pages without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.kernel.errors import UnprocessableEntity
from lib.ledger import day_sums, ledger, usage_report, usage_store
from lib.ledger.ledger import LedgerFilter
from lib.ledger.usage import TOKENS
from lib.ledger.usage_record import UsageRecord
from lib.ledger.usage_report import ALL_GROUPS, COLUMNS, Group, UsageFilter, UsageSum
from lib.store.dialect import time_text
from lib.store.schema import UsageRecordRow
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_key, seed_org, usage_record
from tests.unit.store.sqlite_binding import new_database

START = datetime(2026, 5, 1, tzinfo=UTC)
ALWAYS = UsageFilter(START, START + timedelta(days=30))
BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), "~")
TEAMS = [None, "team".ljust(36, "-")]
MODELS = ["a/é", "b", "c/d"]
ONE = st.tuples(st.integers(0, 3), st.sampled_from(MODELS), st.integers(0, 1), st.none() | st.integers(0, 10**12))


class Store:
    """An organisation with two keys, beside another with one."""

    def __init__(self) -> None:
        self.database, self.binding = new_database()
        self.org = run(seed_org(self.database))
        self.keys = sorted(run(seed_key(self.database, self.org)).principal.key_id for _ in range(2))
        self.written: list[UsageRecord] = []

    def add(self, day: int = 0, model: str = "b", key: int = 0, cost: int | None = 5, **more: object) -> UsageRecord:
        at = START + timedelta(days=day, minutes=len(self.written))
        record = usage_record(
            self.org, self.keys[key], model=model, cost_nano_usd=cost, **{"started_at": time_text(at)} | more
        )
        self.written.append(record)
        return record

    def deliver(self) -> None:
        for org in {record.org_id for record in self.written}:
            texts = ",".join(record.to_json() for record in self.written if record.org_id == org)
            run(usage_store.deliver(self.database, org, f"[{texts}]", NOW))

    def report(
        self,
        groups: Sequence[Group],
        wanted: UsageFilter = ALWAYS,
        after: Sequence[str] | None = None,
        limit: int = 100,
    ) -> list[UsageSum]:
        return run(usage_report.report(self.database, self.org, wanted, groups, after, limit))

    def records(
        self, wanted: UsageFilter = ALWAYS, before: tuple[datetime, str] = BEFORE_ALL, limit: int = 100
    ) -> list[UsageRecordRow]:
        records = LedgerFilter(wanted.start, wanted.end, wanted.model, wanted.key_id)
        return list(run(ledger.newest(self.database, None, self.org, records, before, limit)).rows)


def named(place: Sequence[str], found: list[UsageRecord]) -> dict[str, Any]:
    tokens = {name: sum(getattr(record, name) for record in found) for name in TOKENS}
    return dict(zip(COLUMNS.values(), place, strict=True)) | tokens


def expected(records: list[UsageRecord], groups: Sequence[Group]) -> list[UsageSum]:
    """Sum the records in plain Python."""
    lines: dict[tuple[str, ...], list[UsageRecord]] = {}
    for record in records:
        parts = {column: getattr(record, column) or "" for column in COLUMNS.values() if column != "day"}
        parts["day"] = record.started_at[:10]
        place = tuple(parts[column] if group in groups else "" for group, column in COLUMNS.items())
        lines.setdefault(place, []).append(record)
    return [
        UsageSum(
            requests=len(found),
            **named(place, found),
            cost_nano_usd=sum(record.cost_nano_usd or 0 for record in found),
            estimated_requests=sum(record.estimated for record in found),
            unpriced_requests=sum(record.cost_nano_usd is None for record in found),
        )
        for place, found in sorted(lines.items(), key=lambda line: [part.encode() for part in line[0]])
    ]


@given(
    st.lists(ONE, max_size=12), st.sets(st.sampled_from(Group)), st.integers(1, 5), st.sampled_from([0, 4, 4.1, 9]),
    st.integers(1, 9),
)  # fmt: skip
def test_a_report_is_the_sum_of_its_records(
    rows: list[tuple[int, str, int, int | None]], groups: set[Group], limit: int, summed: float, piece: int
) -> None:
    """Whatever the groups, read in pages of any size, and from the sums of days, or a part of one, as from records."""
    store = Store()
    for number, (day, model, key, cost) in enumerate(rows):
        whose = {"team_id": TEAMS[number % 2], "end_user": "é" if number % 3 else None, "provider": "ab"[key]}
        store.add(day, model, key, cost, estimated=cost == 0, **whose)
    store.deliver()
    lines: list[UsageSum] = []
    after: Sequence[str] | None = None
    with patch.object(day_sums, "PIECE_ROWS", piece), patch.object(usage_report, "PIECE_SUMS", piece):
        run(day_sums.sum_days(store.database, store.org, START + timedelta(days=summed)))
        while page := store.report(sorted(groups), after=after, limit=limit):
            lines += page
            after = [getattr(page[-1], column) for column in COLUMNS.values()]
    assert lines == expected(store.written, sorted(groups))


@pytest.mark.parametrize(
    ("groups", "days", "refused"),
    [
        ([], 9, True), ([Group.MODEL], 9, True), ([Group.KEY, Group.END_USER], 9, True), ([Group.MODEL], 2, False),
        ([Group.DAY], 9, False), ([Group.DAY, Group.END_USER], 9, False), ([Group.KEY], 9, False),
    ],
)  # fmt: skip
def test_a_page_adds_up_so_much_and_no_more(
    monkeypatch: pytest.MonkeyPatch, groups: list[Group], days: int, refused: bool
) -> None:
    """What no index has in order is refused beyond, unless it goes by day."""
    monkeypatch.setattr(usage_report, "PIECE_SUMS", 1)
    monkeypatch.setattr(usage_report, "MOST_PIECES", 2)
    store = Store()
    for day in range(4):
        store.add(day)
    store.deliver()
    run(day_sums.sum_days(store.database, store.org, START + timedelta(days=9)))
    wanted = replace(ALWAYS, end=START + timedelta(days=days))
    if refused:
        with pytest.raises(UnprocessableEntity, match="fewer days"):
            store.report(groups, wanted)
    else:
        assert sum(line.requests for line in store.report(groups, wanted)) == min(days, 4)


def test_nothing_used_is_no_line() -> None:
    """Also where nothing is grouped."""
    store = Store()
    assert store.report(ALL_GROUPS) == []
    assert store.report([]) == []
    assert store.records() == []


def test_a_report_begins_and_ends_where_it_was_told() -> None:
    """The start is in it, the end is not; to the microsecond."""
    store = Store()
    end = START + timedelta(days=1)
    for at in (START - timedelta(microseconds=1), START, end - timedelta(microseconds=1), end):
        store.add(started_at=time_text(at))
    store.deliver()
    wanted = UsageFilter(START, end)
    assert [line.requests for line in store.report([], wanted)] == [2]
    assert len(store.records(wanted)) == 2


@pytest.mark.parametrize(
    ("model", "key", "found"), [("b", None, 2), (None, 1, 2), ("b", 1, 1), ("x", None, 0), ("b'--", 0, 0)]
)
def test_a_report_on_one_model_or_key_has_only_that(model: str | None, key: int | None, found: int) -> None:
    """Both filters together too, in sums and in lists."""
    store = Store()
    for name, own in (("b", 0), ("b", 1), ("c/d", 0), ("c/d", 1)):
        store.add(0, name, own)
    store.deliver()
    wanted = UsageFilter(ALWAYS.start, ALWAYS.end, model, None if key is None else store.keys[key])
    assert sum(line.requests for line in store.report(ALL_GROUPS, wanted)) == found
    assert len(store.records(wanted)) == found


def test_another_organisations_use_is_not_in_it() -> None:
    """Not even with the other's key as the filter."""
    store = Store()
    other = run(seed_org(store.database))
    theirs = run(seed_key(store.database, other)).principal.key_id
    store.written.append(usage_record(other, theirs))
    store.deliver()
    wanted = UsageFilter(ALWAYS.start, ALWAYS.end, key_id=theirs)
    assert (store.report([]), store.report([], wanted), store.records(wanted)) == ([], [], [])


@given(st.lists(st.integers(0, 2), max_size=12), st.integers(1, 5))
def test_records_come_newest_first_in_pages_without_gaps(starts: list[int], limit: int) -> None:
    """Also where several began in the same microsecond."""
    store = Store()
    for second in starts:
        store.add(started_at=time_text(START + timedelta(seconds=second)))
    store.deliver()
    seen: list[str] = []
    before = BEFORE_ALL
    while page := store.records(before=before, limit=limit):
        seen += [row.id for row in page]
        before = (page[-1].started_at, page[-1].id)
    newest = sorted(store.written, key=lambda record: (record.started_at, record.id), reverse=True)
    assert seen == [record.id for record in newest]


def test_a_record_is_listed_with_all_that_is_known_of_it() -> None:
    """Field by field as it was settled; times as times, yes and no as booleans."""
    store = Store()
    record = store.add(cost=None, status=None, first_byte_ms=None, price_version=None, streamed=True)
    store.deliver()
    [row] = store.records()
    shown = {field.name: getattr(row, field.name) for field in fields(record)}
    assert shown | {"started_at": time_text(row.started_at)} == {name: getattr(record, name) for name in shown}
    assert row.streamed is True


@pytest.mark.parametrize(
    ("only", "number"),
    [
        ({"team_id": TEAMS[1]}, 2),
        ({"end_user": "b"}, 1),
        ({"provider": "p", "team_id": TEAMS[1]}, 1),
        ({"user_id": "x"}, 0),
    ],
)
@pytest.mark.parametrize("summed", [False, True])
def test_whose_use_can_be_asked_for(only: dict[str, Any], number: int, summed: bool) -> None:
    """Of a team, a person, an end user or a provider alone; from records and from sums of days."""
    store = Store()
    store.add(team_id=TEAMS[1], provider="p")
    store.add(team_id=TEAMS[1], end_user="b")
    store.add(end_user="c")
    store.deliver()
    if summed:
        run(day_sums.sum_days(store.database, store.org, START + timedelta(days=9)))
    found = store.report((), replace(ALWAYS, **only))
    assert [line.requests for line in found] == ([number] if number else [])
