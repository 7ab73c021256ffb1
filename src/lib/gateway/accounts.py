"""The isolate's cache of accounts: memory, then KV, then the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from lib import failures
from lib.failures import Failure
from lib.gateway import model_store
from lib.gateway.account import Account
from lib.gateway.account_text import account_name, from_text, to_text
from lib.gateway.cache import Cache, NoCache
from lib.gateway.denials import Denials, denial_name
from lib.identity import key_store, person_store
from lib.identity.models import Principal
from lib.store.database import Database

MOST_CACHED = 5_000
MOST_UNPUBLISHED = 500
KEPT_IN_KV_SECONDS = 86_400


class Accounts:
    """Accounts by the hash of their key.

    An entry may be old, here and in KV: each request to a model is confirmed by the organisation's gate, which knows
    the current version. So a revoked key is refused at once, although nobody tells this isolate. What the gate has
    called old is read from the store; KV is asked only for a key that this isolate knows nothing of.
    """

    def __init__(self, cache: Cache | None = None, denials: Denials | None = None) -> None:
        self._cache = cache or NoCache()
        self._denials = denials or Denials()
        self._cached: dict[str, Account] = {}
        self._versions: dict[str, int] = {}
        self._from_kv: dict[str, None] = {}  # those of the cached that came from KV
        self.unpublished: dict[str, Account | None] = {}  # what KV is to be told, by key hash; None: there is none

    def remembered(self, key_hash: str, now: datetime) -> Account | None:
        """Return an account from memory, but none that is known to be old or has expired: it may live longer now."""
        account = self._cached.get(key_hash)
        if account is None or account.version != self._versions.get(account.principal.org_id):
            return None
        return None if account.principal.expired(now) else account

    async def find(self, database: Database, key_hash: str, now: datetime, older: Sequence[str] = ()) -> Account | None:
        """Return the account of a key, or None when there is no such key or it is revoked. It may have expired.

        `older` are the hashes that it may be stored under besides: see `key_store.find_principal`.
        """
        account = self.remembered(key_hash, now)
        if account is None and key_hash not in self._cached:
            account = await self._from_cache(key_hash, now)
        return account or await self._from_store(database, key_hash, older)

    async def of_person(
        self, database: Database, name: str | None, find: Callable[[], Awaitable[Principal | None]]
    ) -> Account | None:
        """Return the account of somebody who has signed in, or None where `find` finds nobody. KV is not told of it.

        Kept in memory by `name`, as a key's is, where there is one.
        """
        versions = dict(self._versions)  # before the read, as below
        principal = await find()
        if name is not None:
            self._cached.pop(name, None)
        if principal is None:
            return None
        routes = await model_store.routes_of(database, principal.org_id)
        account = Account(principal, routes, versions.get(principal.org_id))
        if name is not None:
            self._keep(name, account)
        return account

    def policy_is(self, org_id: str, version: int) -> None:
        """Note the current version of an organisation's policy, as its gate tells it."""
        if len(self._versions) >= MOST_CACHED:
            self._versions.clear()
        self._versions[org_id] = version

    async def publish(self) -> None:
        """Tell KV what was read from the store. No client waits for this. Never raises."""
        told, self.unpublished = self.unpublished, {}
        await asyncio.gather(*(self._publish(key_hash, account) for key_hash, account in told.items()))

    async def _publish(self, key_hash: str, account: Account | None) -> None:
        if account is None:
            await self._cache.delete(account_name(key_hash))
        else:
            await self._cache.put(account_name(key_hash), to_text(account), KEPT_IN_KV_SECONDS)

    async def _from_cache(self, key_hash: str, now: datetime) -> Account | None:
        name, denied = account_name(key_hash), denial_name(key_hash)
        found = await self._cache.get((name, denied))
        account = from_text(found[name], key_hash) if name in found else None
        if account is None or account.principal.expired(now):
            return None
        org_id, version = account.principal.org_id, account.version
        if version != self._versions.get(org_id, version):
            failures.note(Failure.KV_STALE, "an account of an old policy")
            return None
        if version is not None:
            self._versions.setdefault(org_id, version)
        if denied in found:
            self._denials.recall(org_id, found[denied])
        self._keep(key_hash, account)
        self._from_kv[key_hash] = None
        return account

    async def _from_store(self, database: Database, key_hash: str, older: Sequence[str]) -> Account | None:
        # The version is taken before the read. If something changes between the two, the gate will say so.
        versions = dict(self._versions)
        principal = await key_store.find_principal(database, key_hash, older)
        was_in_kv = self._forget(key_hash)
        if principal is None:
            if was_in_kv:
                self._tell(key_hash, None)
            return None
        routes, teams = await asyncio.gather(
            model_store.routes_of(database, principal.org_id), _covering_teams(database, principal)
        )
        principal = replace(principal, member_of=teams)
        account = Account(principal, routes, versions.get(principal.org_id), key_hash)
        self._keep(key_hash, account)
        if principal.suspended:  # KV has no word for it, and must not have what the key may do otherwise
            self._tell(key_hash, None)
        elif account.version is not None:
            self._tell(key_hash, account)
        return account

    def _keep(self, key_hash: str, account: Account) -> None:
        if len(self._cached) >= MOST_CACHED:
            oldest = next(iter(self._cached))
            del self._cached[oldest]
            self._from_kv.pop(oldest, None)
        self._cached[key_hash] = account

    def _forget(self, key_hash: str) -> bool:
        """Drop an account from memory; tell whether KV is likely to have it, old."""
        known = self._cached.pop(key_hash, None)
        if known is not None and key_hash in self._from_kv:
            del self._from_kv[key_hash]
            if known.version != self._versions.get(known.principal.org_id):
                failures.note(Failure.KV_STALE, "an account of an old policy")
        return known is not None and known.version is not None

    def _tell(self, key_hash: str, account: Account | None) -> None:
        if len(self.unpublished) < MOST_UNPUBLISHED:
            self.unpublished[key_hash] = account


async def _covering_teams(database: Database, principal: Principal) -> str:
    """Return the teams that count what a key's person does, whatever team the key is in; none where it has nobody."""
    if principal.user_id is None:
        return ""
    return await person_store.covering_teams(database, principal.user_id, principal.org_id)
