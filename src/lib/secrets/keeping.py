"""What a deployment keeps its secrets with."""

from __future__ import annotations

from typing import Protocol

from lib.config import Config


class Sealer(Protocol):
    """Authenticated encryption (AES-256-GCM). `open` raises ValueError for a wrong key or a changed text."""

    async def seal(self, key: bytes, text: bytes) -> bytes: ...
    async def open(self, key: bytes, sealed: bytes) -> bytes: ...


class Keeping(Protocol):
    """The deployment's secrets: `pepper` is for what is stored as a hash, `older` those of earlier secrets."""

    @property
    def config(self) -> Config: ...

    @property
    def pepper(self) -> bytes: ...

    @property
    def older(self) -> tuple[bytes, ...]: ...

    @property
    def sealer(self) -> Sealer: ...
