"""A body that we write ourselves, piece by piece, after its answer has begun."""

from __future__ import annotations

from typing import Protocol

from lib.http.request import Departure
from lib.http.response import NativeBody


class ReaderLost(Exception):
    """The client has left, or has read nothing for so long that it is taken for gone."""


class StreamedBody(Protocol):
    """One such body. Exactly one of `end` and `break_off` is called at last."""

    @property
    def body(self) -> NativeBody:
        """What the answer is given as its body."""
        ...

    async def write(self, piece: bytes) -> None:
        """Hand a piece on, and return once the client takes more. Raises ReaderLost."""
        ...

    async def end(self) -> None:
        """End the body in order. Raises ReaderLost."""
        ...

    async def break_off(self) -> None:
        """End the body so that the client sees that something is missing. Never raises."""
        ...


class Streams(Protocol):
    """Where such bodies come from."""

    def open(self, client: Departure) -> StreamedBody:
        """Return an empty body that ends when `client` leaves."""
        ...
