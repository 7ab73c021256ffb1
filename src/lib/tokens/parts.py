"""What services need that make and read access tokens."""

from __future__ import annotations

from typing import Protocol

from lib.defence.parts import Guarded
from lib.tokens.signing_keys import SigningKeys


class Signing(Guarded, Protocol):
    """`tokens` has the keys."""

    @property
    def tokens(self) -> SigningKeys: ...
