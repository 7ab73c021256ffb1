"""An answer that is read whole, as far as it may be, and what is counted for it meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.runtime.virtual_platform import load, run_virtually

[PASSAGE] = load("passage")
FIRST, PIECE = PASSAGE.FIRST_BYTES, PASSAGE.PIECE_BYTES


@pytest.mark.parametrize(
    ("size", "whole", "held"),
    [
        (1_000, True, []),  # as nearly all are
        (FIRST + 1, True, [FIRST + PIECE]),
        (FIRST + PIECE + 1, True, [FIRST + PIECE, FIRST + 2 * PIECE]),
        (10 * PIECE, False, [FIRST + PIECE, FIRST + 2 * PIECE]),
    ],
)
def test_what_is_held_is_counted_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch, size: int, whole: bool, held: list[int]
) -> None:
    """Its length is not known: so as much as the next read may bring, in all its copies."""
    left = size
    told: list[int] = []

    async def read_at_least(most: int, _view: object) -> Any:
        nonlocal left
        piece, left = min(most, left), max(0, left - most)
        return SimpleNamespace(value=SimpleNamespace(byteLength=piece), done=False)

    monkeypatch.setattr(PASSAGE.js, "Uint8Array", SimpleNamespace(new=lambda size: size), raising=False)
    stream = SimpleNamespace(getReader=lambda _: SimpleNamespace(readAtLeast=read_at_least))
    pieces, reader = run_virtually(PASSAGE.begin(stream, FIRST + PIECE + 10, told.append))
    assert (reader is None) is whole
    assert told == [PASSAGE.COPIES * one for one in held]
    assert sum(piece.byteLength for piece in pieces) == min(size, FIRST + 2 * PIECE)
