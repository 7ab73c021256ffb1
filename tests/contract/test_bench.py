"""The benchmark on the real runtime, as short as it can be: a whole run takes a quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import costs, streams
from bench.cases import QUICK_CASES
from bench.load import LoadGenerator
from bench.speed import Effort
from bench.suite import built, only_speed

pytestmark = pytest.mark.real_runtime

SHORT = Effort(rounds=1, milliseconds=60, warm_up=20, settling=0)
FEW = streams.Effort(late=5, open=5, long=2, long_events=100, apart_ms=2, seconds=1.5)

Ground = tuple[Path, str, LoadGenerator]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with built() as made:
        yield made


def test_the_quick_way_measures_the_speed_and_says_which_targets_are_met() -> None:
    said = only_speed(SHORT, QUICK_CASES)
    assert said.count("**Headgate**") == 8  # three cases, two of them under a third load
    assert said.count("met") + said.count("missed") == 4 + 3  # three also as multiples of the pass-through


def test_many_streams_are_read_whole_and_a_reader_that_does_not_read_stops_its_provider(ground: Ground) -> None:
    """And what the meters tell is possible."""
    found = streams.measure(ground[0], FEW)

    ways = [one.name for one in found.late]
    assert ways == ["direct", "pass-through", "Headgate, usage asked for", "Headgate, no usage"]
    assert [(one.refused, one.failed, one.lost) for one in found.late] == [(0, 0, 0)] * 4
    assert all(0 <= one.p50 <= one.p99 <= one.most for one in found.late)
    assert found.held.refused == 0
    assert found.held.wasm > 40
    assert 5 < found.held.scripts < 128
    assert [(one.refused, one.lost) for one in found.long] == [(0, 0)] * 2
    assert [one.stopped for one in found.slow] == [True] * 4
    assert all(one.held_bytes < 2**20 for one in found.slow if one.name.startswith("Headgate"))


def test_what_a_call_writes_is_counted(ground: Ground) -> None:
    rows = costs.measure(*ground)
    assert rows.gate_written >= 2
    assert rows.d1_written >= 1
    assert min(rows.gate_read, rows.d1_read) >= 1
