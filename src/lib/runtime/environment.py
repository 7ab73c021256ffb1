"""The environment's variables and secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def variable_reader(env: Any) -> Callable[[str], str | None]:
    """Return a function that reads a variable's text, or None where it is not set."""

    def read(name: str) -> str | None:
        value = getattr(env, name, None)
        return value if isinstance(value, str) else None

    return read
