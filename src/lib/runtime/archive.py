"""The archive in R2."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from pyodide.ffi import JsException, jsnull, to_js

from lib.config import ConfigError, Records
from lib.ledger.archive import ArchiveUnavailable

SECONDS = 10  # for one step: an object is a few hundred kilobytes


class R2Archive:
    """Implements `lib.ledger.archive.Archive`. `bucket` is the platform's binding."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket

    async def put(self, name: str, body: bytes) -> None:
        await _answer(self._bucket.put(name, to_js(body)))

    async def get(self, name: str) -> bytes | None:
        found = await _answer(self._bucket.get(name))
        if found is None or found is jsnull:
            return None
        body: bytes = (await _answer(found.arrayBuffer())).to_bytes()
        return body


async def _answer(asked: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(SECONDS):
            return await asked
    except TimeoutError:
        raise ArchiveUnavailable(f"no answer within {SECONDS} s") from None
    except JsException as error:
        raise ArchiveUnavailable(error.message or "") from None


def archive_of(env: Any, records: Records = Records.STORE) -> R2Archive | None:
    """Return the deployment's archive; None where wrangler.toml binds none. Raises ConfigError where records are to be
    there.
    """
    bucket = getattr(env, "ARCHIVE", None)
    if bucket is None and records is Records.ARCHIVE:
        raise ConfigError("LEDGER_RECORDS is archive, so wrangler.toml must bind ARCHIVE")
    return None if bucket is None else R2Archive(bucket)
