"""E-mail addresses: in the one form in which they are stored and compared."""

from __future__ import annotations

import re

MOST_CHARACTERS = 254
# What browsers take for an address (HTML's input type=email). No quoted and no international ones: two that look the
# same to people, or that a mail server takes for one, must not be two accounts.
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


def normal(text: str) -> str:
    """Return an address in lower case, without spaces around it. Raises ValueError where it is none."""
    address = text.strip().lower()
    if len(address) > MOST_CHARACTERS or not _ADDRESS.fullmatch(address):
        raise ValueError("this is not an e-mail address")
    return address


def domain(address: str) -> str:
    """Return what stands behind the @."""
    return address.rpartition("@")[2]
