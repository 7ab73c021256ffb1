"""The loop that the Worker's Python has: what is ready runs in one turn, whatever becomes of one callback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from tests.unit.runtime.virtual_platform import load

NAME: ContextVar[str] = ContextVar("name", default="nobody")


class Loop:
    """As much of Pyodide's as is used, and the microtasks of JavaScript. `ran` is what ran, `told` what was told."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.microtasks: list[Callable[[], None]] = []
        self.ran: list[object] = []
        self.told: list[object] = []
        module.js.queueMicrotask = self.microtasks.append
        self.marks = 0

    def soon(self, *args: Any) -> Any:
        return self._module._call_soon(self, *args)  # what `install` gives the loop

    def note(self, what: object) -> None:
        self.ran.append((what, NAME.get()))

    def turn(self) -> None:
        now, self.microtasks[:] = self.microtasks.copy(), []
        for microtask in now:
            microtask()

    def call_exception_handler(self, context: dict[str, object]) -> None:
        self.told.append(context["exception"])

    def _install_running_loop(self) -> None:
        self.marks += 1

    def _install_asyncgen_hooks(self) -> None:
        self.marks += 1


@pytest.fixture
def loop() -> Loop:
    [module] = load("event_loop")
    return Loop(module)


def test_what_is_ready_runs_in_one_turn_and_in_its_own_context(loop: Loop) -> None:
    for name in ("a", "b"):
        NAME.set(name)
        loop.soon(loop.note, name)
    NAME.set("nobody")
    assert (len(loop.microtasks), loop.ran) == (1, [])
    loop.turn()
    assert (loop.ran, loop.marks) == ([("a", "a"), ("b", "b")], 2)


def test_what_becomes_ready_meanwhile_runs_in_the_next_turn(loop: Loop) -> None:
    loop.soon(loop.soon, loop.note, "later")
    loop.turn()
    assert (len(loop.microtasks), loop.ran) == (1, [])
    loop.turn()
    assert loop.ran == [("later", "nobody")]


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), GeneratorExit()], ids=repr)
def test_one_that_fails_is_told_and_the_others_go_on(loop: Loop, error: BaseException) -> None:
    def fail() -> None:
        raise error

    for callback in (fail, lambda: loop.note("next"), fail):
        loop.soon(callback)
    loop.turn()
    assert (loop.told, loop.ran) == ([error, error], [("next", "nobody")])


def test_one_that_is_cancelled_does_not_run(loop: Loop) -> None:
    first, second = loop.soon(loop.note, "first"), loop.soon(loop.note, "second")
    second.cancel()
    assert (first.cancelled(), second.cancelled()) == (False, True)
    loop.turn()
    assert loop.ran == [("first", "nobody")]
