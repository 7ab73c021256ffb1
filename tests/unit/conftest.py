"""One profile for all properties: a slow machine is no failure. And no test sees another's failures."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from lib import failures

settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def noted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The lines about failures that a test has caused. Each test begins with none."""
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(failures, "_counts", {})
    monkeypatch.setattr(failures, "_sinks", [lambda event, **facts: lines.append({"event": event, **facts})])
    return lines
