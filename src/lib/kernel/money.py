"""Money as people read it: dollars as exact decimal strings. Inside it is always a whole number of nano-dollars."""

from __future__ import annotations

import re
from typing import Any

NANO = 10**9  # nano-dollars in a dollar
FORM = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,9})?$"
_FORM = re.compile(FORM)
_MILLION = 10**6
_PER_TOKEN, _PER_MILLION = "_nano_usd_per_token", "_usd_per_million_tokens"


def usd(nano: int) -> str:
    """Return nano-dollars in dollars, exactly, with two decimals at least: `20.00`, `0.0184`."""
    dollars, rest = divmod(abs(nano), NANO)
    decimals = f"{rest:09}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{dollars}.{decimals}"


def nano_usd(text: str) -> int:
    """Return the nano-dollars of a text like `20`, `20.00` or `0.0184`. Raises ValueError for any other."""
    if not _FORM.fullmatch(text):
        raise ValueError('dollars as text, like "20.00": nine decimals at most, no sign, no exponent')
    dollars, _, decimals = text.partition(".")
    return int(dollars) * NANO + int(decimals.ljust(9, "0"))


def dollars_name(name: str) -> str | None:
    """Return what a field of nano-dollars is called in dollars; None where it is no money."""
    if name.endswith(_PER_TOKEN):
        return name.removesuffix(_PER_TOKEN) + _PER_MILLION
    return name.removesuffix("nano_usd") + "usd" if name.endswith("nano_usd") else None


def with_dollars(shown: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an answer, with each amount in dollars behind it."""
    told: dict[str, Any] = {}
    for name, value in shown.items():
        told[name] = value
        if dollars := dollars_name(name):
            told[dollars] = None if value is None else usd(value * _MILLION if name.endswith(_PER_TOKEN) else value)
    return told
