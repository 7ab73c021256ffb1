"""One profile for all properties: a slow machine is no failure. And no test sees another's failures.

The same source tries the same examples, so that a change is judged by itself. `HEADGATE_SEARCH=1` tries new ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from lib.gateway.call.admitting import Admitted
from lib.gateway.call.settlement import Settlement
from lib.kernel import failures
from lib.sign_in import later

settings.register_profile(
    "unit",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="HEADGATE_SEARCH" not in os.environ,
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def noted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The lines about failures that a test has caused. Each test begins with none."""
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(failures, "_counts", {})
    monkeypatch.setattr(failures, "_sinks", [lambda event, **facts: lines.append({"event": event, **facts})])
    return lines


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits until the answer has left waits no time here."""
    monkeypatch.setattr(later, "AFTER_SECONDS", 0)


@pytest.fixture(autouse=True)
def no_call_is_lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A call that was opened has an outcome in the end."""
    opened: list[Settlement] = []
    really = Settlement.open

    async def open_it(settlement: Settlement, timeout_seconds: int, floor: int) -> Admitted:
        admitted = await really(settlement, timeout_seconds, floor)
        opened.append(settlement)
        return admitted

    monkeypatch.setattr(Settlement, "open", open_it)
    yield
    assert [settlement.facts() for settlement in opened if settlement.outcome is None] == []
