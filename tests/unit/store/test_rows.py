"""Rows as frozen values: each store's few types become Python's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pytest

from lib.store.dialect import POSTGRES, SQLITE, Dialect
from lib.store.rows import decoder
from tests.unit.fakes import NOW


@dataclass(frozen=True, slots=True)
class Row:
    """One column of each kind."""

    text: str
    number: int
    ratio: float | None
    yes: bool
    maybe: bool | None
    at: datetime
    ended: datetime | None
    scopes: frozenset[str]


@dataclass(frozen=True)
class Sum:
    """A sum that the store has sent as text."""

    total: int


@dataclass(frozen=True)
class Wrong:
    """A type that no column has."""

    data: bytes


WANTED = Row("é", 2**53 - 1, 0.5, True, None, NOW, None, frozenset({"a", "b"}))
COLUMNS: dict[Dialect, dict[str, object]] = {
    SQLITE: {
        "text": "é",
        "number": 2**53 - 1,
        "ratio": 0.5,
        "yes": 1,
        "maybe": None,
        "at": "2026-05-04T12:30:15.123456Z",
        "ended": None,
        "scopes": '["b","a","b"]',
    },
    POSTGRES: {
        "text": "é",
        "number": "9007199254740991",
        "ratio": "0.5",
        "yes": "t",
        "maybe": None,
        "at": "2026-05-04 14:30:15.123456+02",
        "ended": None,
        "scopes": '["a", "b"]',
    },
}
each_dialect = pytest.mark.parametrize("dialect", COLUMNS, ids=lambda dialect: dialect.name)


def decode(columns: Mapping[str, object], dialect: Dialect) -> Row:
    return decoder(Row, dialect)(columns)


@each_dialect
def test_a_row_becomes_a_value_of_its_type(dialect: Dialect) -> None:
    """Times get their zone, a store's yes and no become booleans, a JSON list becomes a set."""
    row = decode(COLUMNS[dialect], dialect)
    assert row == WANTED
    assert row.yes is True
    assert row.at.utcoffset() == NOW.utcoffset()


@each_dialect
def test_a_no_is_a_no(dialect: Dialect) -> None:
    """The text `f` is not empty, and yet no yes."""
    no = {SQLITE: 0, POSTGRES: "f"}[dialect]
    row = decode({**COLUMNS[dialect], "yes": no, "maybe": no}, dialect)
    assert (row.yes, row.maybe) == (False, False)


@each_dialect
def test_further_columns_do_not_matter_but_a_missing_one_does(dialect: Dialect) -> None:
    """A missing column is a defect in the SQL beside the dataclass, and loud."""
    columns = COLUMNS[dialect]
    assert decode({**columns, "more": 1}, dialect).text == "é"
    with pytest.raises(KeyError):
        decode({name: value for name, value in columns.items() if name != "at"}, dialect)


@each_dialect
def test_a_type_that_no_column_has_is_refused(dialect: Dialect) -> None:
    """Before any row is read: a defect in the dataclass."""
    with pytest.raises(KeyError):
        decoder(Wrong, dialect)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 10**30])
def test_a_sum_that_is_sent_as_text_is_exact(number: int) -> None:
    """Where it came as a number it would have been rounded."""
    assert decoder(Sum, SQLITE)({"total": str(number)}).total == number
