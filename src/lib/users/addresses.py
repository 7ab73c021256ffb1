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
    """Return an address in lower case, without spaces around it. Raises ValueError where it is none.

    ASCII is asked for first: the lower case of the Kelvin sign is a k, and another mailbox would be the same account.
    """
    address = text.strip()
    if not address.isascii() or len(address) > MOST_CHARACTERS or not _ADDRESS.fullmatch(address := address.lower()):
        raise ValueError("this is not an e-mail address")
    return address


def domain(address: str) -> str:
    """Return what stands behind the @."""
    return address.rpartition("@")[2]
