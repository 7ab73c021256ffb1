"""What the AI API must know of a caller, read once and kept in the isolate: its principal and its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.gateway import model_store
from lib.gateway.models import ModelRoute
from lib.identity import key_store
from lib.identity.models import Principal
from lib.store.database import Database

MOST_CACHED = 5_000


@dataclass(frozen=True, slots=True)
class Account:
    """A caller as of one version of its organisation's policy; None when that version is not known yet."""

    principal: Principal
    routes: Mapping[str, ModelRoute]
    version: int | None


class StaleAccount(Exception):
    """The gate knows a newer version of the organisation's policy than the one this request was decided by."""


class Accounts:
    """The isolate's cache of accounts, by the hash of their key.

    An entry may be old: each request to a model is confirmed by the organisation's gate, which knows the current
    version. So a revoked key is refused at once, although nobody tells this isolate.
    """

    def __init__(self) -> None:
        self._cached: dict[str, Account] = {}
        self._versions: dict[str, int] = {}

    async def find(self, database: Database, key_hash: str) -> Account | None:
        """Return the account of a key, or None when there is no such key or it is revoked."""
        account = self._cached.get(key_hash)
        if account and account.version == self._versions.get(account.principal.org_id):
            return account
        # The version is taken before the read. If something changes between the two, the gate will say so.
        versions = dict(self._versions)
        principal = await key_store.find_principal(database, key_hash)
        if principal is None:
            self._cached.pop(key_hash, None)
            return None
        routes = await model_store.routes_of(database, principal.org_id)
        if len(self._cached) >= MOST_CACHED:
            self._cached.pop(next(iter(self._cached)))
        account = Account(principal, routes, versions.get(principal.org_id))
        self._cached[key_hash] = account
        return account

    def policy_is(self, org_id: str, version: int) -> None:
        """Note the current version of an organisation's policy, as its gate tells it."""
        if len(self._versions) >= MOST_CACHED:
            self._versions.clear()
        self._versions[org_id] = version
