"""Waiting for what another process will do: by asking again until a deadline, never by sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tests.e2e.support.chosen import PATIENCE

Found = TypeVar("Found")

DEADLINE_SECONDS = 15.0


def until(ask: Callable[[], Found | None], what: str, seconds: float = DEADLINE_SECONDS) -> Found:
    """Return the first answer of `ask` that is not None or False; fail when there is none in time."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        found = ask()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
