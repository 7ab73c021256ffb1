"""A body as it comes, where the isolate has no room left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lib.http.errors import Unavailable
from lib.http.memory import Memory
from lib.http.validate import LARGE_BYTES
from tests.unit.runtime.virtual_platform import load, run_virtually

[REQUEST] = load("request")
BODY = b'{"name": "a key"}'


def body_of(memory: Memory) -> Any:
    async def whole() -> SimpleNamespace:
        await asyncio.sleep(0)
        return SimpleNamespace(to_bytes=lambda: BODY)

    return REQUEST.JsBody(SimpleNamespace(arrayBuffer=whole, body=None), str(len(BODY)), memory.share())


def test_a_route_that_takes_small_bodies_is_open_in_an_overload() -> None:
    """A key is revoked, and a budget lowered, also while others fill the isolate; a call to a model is refused."""
    memory = Memory(100)
    memory.set(-1, 100)
    assert run_virtually(body_of(memory).read(LARGE_BYTES)) == BODY
    assert memory.held == 100  # the share went with its owner
    with pytest.raises(Unavailable):
        run_virtually(body_of(memory).read(LARGE_BYTES + 1))
