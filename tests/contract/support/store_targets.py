"""The stores that the contract is tried on: each with a client for the port, and a way past it for what tests need."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from lib.kernel.ids import new_id
from lib.store.database import Statement, Store
from lib.store.postgres import PostgresStore
from lib.store.tenant import Org
from tests.contract.support.asyncio_stream import address
from tests.contract.support.store_client import Client
from tests.contract.worker.calls import perform
from tools.postgres_client import connected

NOW = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)
INSERT_ORG = "INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)"
INSERT_KEY = (
    "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, created_at, updated_at)"
    " VALUES (?1, ?2, ?3, 'hg_prefix12', ?4, ?5, ?6, ?6)"
)
INSERT_MODEL = (
    "INSERT INTO models (org_id, id, provider, upstream_model, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
)


class Target:
    """One store. `owner_url` is PostgreSQL's, for what the application itself may not do."""

    def __init__(self, name: str, client: Client, owner_url: str | None = None) -> None:
        self.name = name
        self.client = client
        self.owner_url = owner_url

    def new_org(self) -> Org:
        """Make an organisation."""
        org = Org(new_id(datetime.now(UTC)))
        if self.owner_url is None:
            self.client.execute(org, INSERT_ORG, org.id, "Acme", NOW)
        else:
            with connected(self.owner_url) as owner:
                owner.run(
                    f"INSERT INTO orgs (id, name, created_at, updated_at) VALUES ('{org.id}', 'Acme', '{NOW}', '{NOW}')"
                )
        return org

    def new_key(self, org: Org, **changes: Any) -> str:
        """Make an API key; return its id."""
        key_id = new_id(datetime.now(UTC))
        self.client.execute(org, INSERT_KEY, *key_values(key_id, org, **changes))
        return key_id

    def new_model(self, org: Org, name: str | None = "m") -> list[int]:
        return self.client.batch(org, model_statement(org, name))

    def __repr__(self) -> str:
        return self.name


def key_values(
    key_id: str, org: Org, name: str = "key", secret_hash: str = "", scopes: str = '["a"]'
) -> tuple[Any, ...]:
    return key_id, org.id, name, secret_hash or key_id.ljust(64, "0"), scopes, NOW


def model_statement(org: Org, name: str | None, provider: str = "sim", upstream: str = "chat") -> Statement:
    return Statement(INSERT_MODEL, (org.id, name, provider, upstream, NOW))


class LoopThread:
    """An event loop in a thread of its own, where the targets on CPython live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def on_cpython(loop: LoopThread, store_for: Callable[[tuple[float, float]], Store]) -> Callable[[str], str]:
    """Return what stands for the test Worker: the same calls, in this process."""

    async def answer(text: str) -> str:
        asked = json.loads(text)
        return json.dumps(await perform(store_for(tuple(asked["limits"])).open(asked["bookmark"]), asked))

    return lambda text: str(loop.run(answer(text)))


def postgres_store(url: str, limits: tuple[float, float]) -> Store:
    return PostgresStore(address(url), time.monotonic, *limits)
