"""How cost grows (bench/growth*.py): the laws, the rows that fill tables, and the section of the page."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.growth import Copies, Effort, Figure
from bench.growth_cases import DIMENSIONS, Dimension
from bench.growth_law import law_of
from bench.growth_table import BEFORE, Measured, growth_section, kept_section, put_section, section_of

SIZES = (10, 1_000, 10_000, 100_000)


@pytest.mark.parametrize(
    ("figures", "law"),
    [
        ([10, 11, 9, 12], "flat"),
        ([0, 0, 0, 0], "flat"),
        ([12, 9, 8, 7], "flat"),  # the first has warmed something up
        ([10, 20, 110, 1010], "linear"),
        ([0.5, 45, 460, 4_700], "linear"),
        ([10, 10.01, 11, 110], "**square**"),
        ([1, 100, 10_000, 1_000_000], "**square**"),
        ([3, 7, 10, 12], "log"),
    ],
)
def test_the_law_of_some_figures(figures: list[float], law: str) -> None:
    """What fits, the simpler before the worse; a defect stands out."""
    assert law_of(dict(zip(SIZES, figures, strict=True))).name == law


def test_a_line_tells_what_a_thousand_more_add() -> None:
    assert law_of({1_000: 3.0, 10_000: 21.0, 100_000: 201.0}).per_thousand == pytest.approx(2.0)
    assert law_of({1: 1.0, 100: 9.0}).name == "grows"  # two points lie on any curve


def test_rows_are_like_the_one_that_is_there() -> None:
    """Whatever columns the table has; what is there already is left."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE things (id TEXT PRIMARY KEY, size INT NOT NULL, colour TEXT NOT NULL)")
        database.execute("INSERT INTO things VALUES ('first', 1, 'red')")
        copies = Copies("things", 0, 10, {"id": "'t' || i", "size": "i"}, "id = 'first'", step=5)
        for _ in range(2):
            database.execute(copies.sql(["id", "size", "colour"]))
        assert database.execute("SELECT * FROM things ORDER BY id").fetchall() == [
            ("first", 1, "red"),
            ("t0", 0, "red"),
            ("t5", 5, "red"),
        ]


def test_a_quick_run_leaves_the_large_sizes_out() -> None:
    """But never a dimension."""
    assert Effort(most=1_000, milliseconds=1, calls=1).sizes(10, 1_000, 10_000) == [10, 1_000]
    assert Effort(most=10, milliseconds=1, calls=1).sizes(1_000, 10_000) == [1_000]


def section(value: float = 100) -> str:
    dimension = Dimension("End users", "end users", SIZES, lambda _ground, _sizes: iter(()), "a policy change, ms")
    figures = [Figure("a policy change, ms", size, value) for size in SIZES]
    return growth_section([Measured(dimension, figures)], "load 1.0", quick=True)


def test_the_section_shows_what_was_before() -> None:
    """In brackets, at the same size, beside the law."""
    assert "| a policy change, ms | 100 (31.0) | 100 (36.0) | 100 (200) | 100 (2,660) | flat |" in section()
    assert set(BEFORE) <= {dimension.name for dimension in DIMENSIONS}


def test_a_dimension_that_broke_says_so() -> None:
    """Behind what was measured until then."""
    broken = Measured(DIMENSIONS[0], [Figure("a policy change, ms", 10, 1)], "workerd does not answer")
    assert growth_section([broken], "", quick=False).rstrip().endswith("It ended there: workerd does not answer")


def test_the_section_takes_its_own_place_in_the_page(tmp_path: Path) -> None:
    """And stays there when the rest is written anew."""
    page = "# Benchmarks\n\n## Speed\n\nfast\n"
    once = put_section(page, section())
    assert once.startswith(page.rstrip())
    with_more = once + "\n## Cold start\n\ncold\n"
    again = put_section(with_more, section(7))
    assert (again.count("## How cost grows"), "| 7.0 (31.0) |" in again) == (1, True)
    assert again.endswith("## Cold start\n\ncold\n")
    file = tmp_path / "page.md"
    assert kept_section(file) == ""
    file.write_text(again)
    assert kept_section(file) == section_of(again) != ""
