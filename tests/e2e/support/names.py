"""Names that no other test uses, so that counts and records are a test's own."""

from __future__ import annotations

import secrets

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letters(number: int = 10) -> str:
    """Random lower-case letters."""
    return "".join(secrets.choice(_LETTERS) for _ in range(number))


def sim_model(words: str = "") -> str:
    """A model of the simulated provider that nobody else asks for; `words` (tools/sim/README.md) set its behaviour."""
    return f"sim/e{letters()}{'-' if words else ''}{words}"


def upstream_name(model: str) -> str:
    """What the provider calls `provider/model`."""
    return model.partition("/")[2]
