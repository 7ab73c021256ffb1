"""The archive in R2."""

from __future__ import annotations

from typing import Any

from pyodide.ffi import JsException, jsnull, to_js

from lib.admission.archive import ArchiveUnavailable


class R2Archive:
    """Implements `lib.admission.archive.Archive`. `bucket` is the platform's binding."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket

    async def put(self, name: str, body: bytes) -> None:
        try:
            await self._bucket.put(name, to_js(body))
        except JsException as error:
            raise ArchiveUnavailable(error.message or "") from None

    async def get(self, name: str) -> bytes | None:
        try:
            found = await self._bucket.get(name)
            return None if found is None or found is jsnull else (await found.arrayBuffer()).to_bytes()
        except JsException as error:
            raise ArchiveUnavailable(error.message or "") from None


def archive_of(env: Any) -> R2Archive | None:
    """Return the deployment's archive; None where wrangler.toml binds none."""
    bucket = getattr(env, "ARCHIVE", None)
    return None if bucket is None else R2Archive(bucket)
