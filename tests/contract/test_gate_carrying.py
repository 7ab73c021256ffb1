"""Group commit on the real runtime, where promises and timers are the platform's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.contract.support.store_worker import StoreWorker
from tools.state import State


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorker]:
    """The test Worker, without a store: nothing here needs one."""
    running = StoreWorker(State(tmp_path_factory.mktemp("carrying")), {})
    yield running
    running.stop()


def test_who_waits_takes_over_from_a_carrier_that_is_gone(worker: StoreWorker) -> None:
    """It does not wait for ever, and is not refused: it brings its own row, and those that wait with it.

    Whose time is over at the same moment may bring its row a second time.
    """
    answer = json.loads(worker.send(json.dumps({"carrying": 300, "cut_off": False})))
    assert answer.get("told") == [7, 7], answer
    assert answer["calls"][:2] == [["a"], ["b", "c"]]
    assert answer["calls"][2:] in ([], [["c"]])


def test_nobody_waits_for_a_carrier_that_was_thrown_away(worker: StoreWorker) -> None:
    """The next goes at once, long before its time is over."""
    answer = json.loads(worker.send(json.dumps({"carrying": 60_000, "cut_off": True})))
    assert answer == {"told": [7, 7], "calls": [["a"], ["b", "c"]]}


@pytest.mark.parametrize(("how", "told"), [("is reset", 7), ("breaks", "GateBroke"), ("hangs", "Unavailable")], ids=str)
def test_the_platform_tells_failures_apart(worker: StoreWorker, how: str, told: object) -> None:
    """An object that is thrown away under a call is called again; one that never answers is given up; and an error of
    the gate's own is known as that.
    """
    assert json.loads(worker.send(json.dumps({"gate": how, "fails": how}))) == told
