"""A look at the gate's clock. What the gate does when it is set back is in test_gate_rules.py and test_rate.py."""

from __future__ import annotations

import pytest

from lib.admission.watch import LATE_MS, TOLERATED_MS, Watch
from lib.kernel import failures
from lib.kernel.failures import Failure

T = 1_700_000_000_000


def test_time_that_goes_on_is_no_failure() -> None:
    """Nor is what keeping a clock right takes it back by."""
    watch = Watch()
    for time in (T, T + 5, T + 5 - TOLERATED_MS, T + 90_000_000):
        assert watch.now(time) == time
    assert failures.counts() == {}


def test_a_clock_that_is_set_back_is_noted_once_each_time() -> None:
    """Not once a call: it may stay behind for hours."""
    watch = Watch()
    for time in (T, T - 5_000, T - 4_000, T - 3_000, T + 1, T - 9_000):
        watch.now(time)
    assert failures.counts() == {Failure.CLOCK_SET_BACK.name.lower(): 2}


@pytest.mark.parametrize(
    ("due", "now", "noted"), [(None, T, 0), (T, T - 5, 0), (T, T + LATE_MS, 0), (T, T + LATE_MS + 1, 1)]
)
def test_an_alarm_that_is_much_too_late_is_noted(due: int | None, now: int, noted: int) -> None:
    """A gate that was not there when it was due set none, as far as it knows."""
    Watch().rang(due, now)
    assert failures.counts().get(Failure.CLOCK_AHEAD.name.lower(), 0) == noted
