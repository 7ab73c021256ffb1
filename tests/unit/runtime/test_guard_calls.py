"""The way to the guards: an object that is thrown away refuses nobody's sign-in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lib.defence.guard import GuardFailure
from tests.unit.runtime.virtual_platform import JsException, load, run_virtually

(GUARD,) = load("objects.guard")
RESET, OVERLOADED, BROKEN = ("retryable",), ("retryable", "overloaded"), ()


class Guards:
    """A namespace whose object fails as told, a failure a call, and then answers 7."""

    def __init__(self, *failures: tuple[str, ...]) -> None:
        self._failures = list(failures)
        self.calls: list[tuple[str, str, str]] = []

    def getByName(self, name: str) -> SimpleNamespace:  # noqa: N802 - the platform's name
        return SimpleNamespace(**{method: self._answer(name, method) for method in GUARD.METHODS})

    def _answer(self, name: str, method: str) -> Callable[[str], Awaitable[int]]:
        async def answer(network: str) -> int:
            self.calls.append((name, method, network))
            if self._failures:
                raise JsException("away", **dict.fromkeys(self._failures.pop(0), True))
            return 7

        return answer


@pytest.mark.parametrize("method", GUARD.METHODS)
@pytest.mark.parametrize(
    ("failures", "tries", "answers"),
    [((), 1, True), ((RESET,), 2, True), ((RESET, RESET), 2, False), ((OVERLOADED,), 1, False), ((BROKEN,), 1, False)],
)
def test_a_guard_that_was_reset_is_asked_once_more(method: str, failures: Any, tries: int, answers: bool) -> None:
    guards = Guards(*failures)

    async def ask() -> Any:
        return await getattr(GUARD.JsGuardObjects(guards), method)("sign_in:account:a", "net")

    if answers:
        assert run_virtually(ask()) == (7 if method in ("attempt", "succeeded") else None)
    else:
        with pytest.raises(GuardFailure):
            run_virtually(ask())
    assert guards.calls == [("sign_in:account:a", method, "net")] * tries


def test_a_guard_that_never_answers_is_given_up_and_the_log_says_that() -> None:
    async def ask() -> None:
        never = SimpleNamespace(attempt=lambda _network: asyncio.sleep(3_600))
        await GUARD.JsGuardObjects(SimpleNamespace(getByName=lambda _name: never)).attempt("sign_in:account:a", "net")

    with pytest.raises(GuardFailure, match="no answer in time"):
        run_virtually(ask())
