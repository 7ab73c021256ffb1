"""asyncio's timers in the Worker."""

from __future__ import annotations

import json

import pytest

from tests.contract.support.store_worker import StoreWorker

pytestmark = pytest.mark.real_runtime


def test_a_timer_ends_with_what_it_waits_for(store_worker: StoreWorker) -> None:
    """The platform allows an invocation 10,000 timers that run: a job that waits more often needs no more than one."""
    answer = json.loads(store_worker.send(json.dumps({"timers": 10_500})))

    assert answer["late"] == [True, True], "one that is not cancelled still fires"
    assert 0.25 < answer["seconds"] < 30
