"""What services need that somebody may guess at."""

from __future__ import annotations

from typing import Protocol

from lib.defence.attempts import Guard
from lib.defence.shield import Shield
from lib.events.parts import Parts


class Guarded(Parts, Protocol):
    """`guard` counts attempts on one account, `shield` those to find any secret."""

    @property
    def guard(self) -> Guard: ...

    @property
    def shield(self) -> Shield: ...
