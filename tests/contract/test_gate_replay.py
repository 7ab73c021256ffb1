"""The same histories of a gate on CPython and in a real Durable Object, on its own SQLite: every answer is the same.

The histories are those of the state machine in tests/unit/admission, which has held them against its model.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.support.store_worker import StoreWorker
from tests.contract.worker.gate_calls import Step
from tests.unit.admission.test_gate_rules_machine import Histories
from tools.state import State

Tape = list[tuple[Step, Any]]  # what was done, and what CPython answered
HISTORIES = 60
CRASH = ["crash"]


class Recorded(Histories):
    """Keeps the history of each run."""

    tapes: ClassVar[list[Tape]] = []

    def teardown(self) -> None:
        super().teardown()
        self.tapes.append(self.tape)


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    """The richest of many histories; always the same ones with the same source and version of hypothesis."""
    Recorded.tapes.clear()
    run_state_machine_as_test(
        Recorded,
        settings=settings(
            max_examples=HISTORIES * 2,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
        ),
    )
    return sorted(Recorded.tapes, key=lambda tape: (len(set(_codes(tape))), len(tape)))[-HISTORIES:]


def _codes(tape: Tape) -> list[str]:
    """Return what callers were told: why they were refused, or "" where they were let in."""
    told = [answer for step, answer in tape if step[0] == "handle" and isinstance(answer, list)]
    return [code for _, answers in told for code, *_ in answers.values()]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorker]:
    """The test Worker, without a store: nothing here needs one."""
    state = State(tmp_path_factory.mktemp("gates"))
    running = StoreWorker(state, {})
    yield running
    running.stop()


class PlayedGate:
    """One gate in the Worker. Every other of its deaths is a real eviction; the others are a new gate in the object."""

    def __init__(self, worker: StoreWorker, name: str) -> None:
        self._worker, self._name = worker, name
        self._played = self._deaths = 0
        self.evictions = 0

    def play(self, tape: Tape) -> list[Any]:
        """Return what it answers to a whole history."""
        told: list[Any] = []
        steps: list[Step] = []
        for step, _ in tape:
            steps.append(step)
            if step == CRASH:
                self._deaths += 1
                if self._deaths % 2:
                    told += [*self._ask(steps[:-1]), None]
                    steps = []
                    self._evict()
        return told + self._ask(steps)

    def _ask(self, steps: list[Step]) -> list[Any]:
        before, told = self._send(steps=steps)
        assert before == self._played
        self._played += len(steps)
        return list(told)

    def _evict(self) -> None:
        assert "evicted by a test" in self._send()["evicted"]
        self._played = 0
        self.evictions += 1

    def _send(self, **asked: Any) -> Any:
        answer = json.loads(self._worker.send(json.dumps({"gate": self._name, **asked})))
        assert "broke" not in answer, answer["broke"]
        return answer


def test_a_real_gate_answers_as_the_one_on_cpython(worker: StoreWorker, tapes: list[Tape]) -> None:
    """Step by step: what is let in and what is refused and why, what is granted, counted, and recorded."""
    evictions = 0
    for number, tape in enumerate(tapes):
        gate = PlayedGate(worker, f"gate-{number}")
        for (step, expected), told in zip(tape, gate.play(tape), strict=True):
            assert told == expected, (number, step)
        evictions += gate.evictions
    assert evictions >= HISTORIES // 4


def test_the_histories_are_worth_playing(tapes: list[Tape]) -> None:
    """They let calls in, and limits and budgets refuse them; they give up, settle, deliver and crash."""
    assert len(tapes) == HISTORIES
    steps = [(step, told) for tape in tapes for step, told in tape]
    assert len(steps) >= HISTORIES * 40
    codes = [code for tape in tapes for code in _codes(tape)]
    by = Counter(code.partition("_")[0] for code in codes)
    assert by["requests"] + by["tokens"] + by["concurrent"] >= 10
    assert by["budget"] + by["cost"] >= 10
    assert codes.count("") >= 200
    causes = {record["cause"] for step, told in steps if step[0] == "outbox" for record in told}
    assert causes == {"lost", "finished"}
    assert {step[0] for step, _ in steps} >= {"delivered", "reject", "explain", "counters", "next_alarm", "crash"}
