"""A look at the clock: it may be set back, or jump. The gate holds out against both; an operator should know."""

from __future__ import annotations

from lib.kernel import failures
from lib.kernel.failures import Failure

TOLERATED_MS = 1_000  # what keeping a clock right may take it back by
LATE_MS = 60_000


class Watch:
    """What one gate has seen of its clock. Times are milliseconds since 1970."""

    def __init__(self) -> None:
        self._newest = 0
        self._behind = False

    def now(self, now_ms: int) -> int:
        """Return the time as it is told. The gate itself lets it stand still until it has caught up (`Gate.handle`)."""
        behind = now_ms < self._newest - TOLERATED_MS
        if behind and not self._behind:
            failures.note(Failure.CLOCK_SET_BACK, f"by {self._newest - now_ms} ms")
        self._behind = behind
        self._newest = max(self._newest, now_ms)
        return now_ms

    def rang(self, due_ms: int | None, now_ms: int) -> None:
        """Note an alarm that comes much later than it was set for: the clock has jumped, or the platform was late."""
        if due_ms is not None and now_ms - due_ms > LATE_MS:
            failures.note(Failure.CLOCK_AHEAD, f"an alarm came {now_ms - due_ms} ms late")
