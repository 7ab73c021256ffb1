"""Time, as an argument: services take a Clock, so that a test can choose the hour."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time now. On Workers it stands still while code runs and moves at each I/O (a defence against timing)."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)
