"""Money as people read it: dollars as exact decimal strings. Inside it is always a whole number of nano-dollars."""

from __future__ import annotations

import re

NANO = 10**9  # nano-dollars in a dollar
FORM = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,9})?$"
_FORM = re.compile(FORM)


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
