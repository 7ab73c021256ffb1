"""Workers KV as `lib.gateway.callers.cache` needs it (https://developers.cloudflare.com/kv/api/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from js import Object
from pyodide.ffi import JsException, to_js

from lib.gateway.callers.cache import Cache, KvCache, KvFailure, NoCache


class JsKv:
    """Implements `lib.gateway.callers.cache.Kv` on a KV binding."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def get(self, names: Sequence[str]) -> Mapping[str, str]:
        try:
            found = await self._binding.get(
                to_js(list(names))
            )  # one call for all: a Map, with null for what is not there
        except JsException as error:
            raise KvFailure(error.message or "") from None
        texts = {name: found.get(name) for name in names}
        return {name: text for name, text in texts.items() if isinstance(text, str)}

    async def put(self, name: str, text: str, seconds: int) -> None:
        options = to_js({"expirationTtl": seconds}, dict_converter=Object.fromEntries)
        try:
            await self._binding.put(name, text, options)
        except JsException as error:
            raise KvFailure(error.message or "") from None

    async def delete(self, name: str) -> None:
        try:
            await self._binding.delete(name)
        except JsException as error:
            raise KvFailure(error.message or "") from None


def cache_of(env: Any) -> Cache:
    """Return the cache in KV; one that is always empty where wrangler.toml binds none."""
    binding = getattr(env, "CACHE", None)
    return NoCache() if binding is None else KvCache(JsKv(binding))
