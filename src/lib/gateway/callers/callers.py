"""The isolate's cache of accounts: memory, then KV, then the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lib.access.principal import Principal
from lib.gateway import model_store
from lib.gateway.call.denials import Denials, denial_name
from lib.gateway.callers.cache import WRITE_SECONDS, Cache, NoCache
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.caller_text import account_name, from_text, routes_text, to_text
from lib.gateway.models import ModelRoute
from lib.kernel import failures
from lib.kernel.bounded import Bounded
from lib.kernel.failures import Failure
from lib.keys import key_store
from lib.store.database import Database
from lib.users import person_store

MOST_CACHED = 5_000
MOST_CACHED_BYTES = 12_000_000
# All keys of an organisation share its models, as of one version. 16,000 models and what KV is told of them, about.
MOST_MODELS_BYTES = 16_000_000
MOST_UNPUBLISHED = 50
PUBLISHED_AT_ONCE = 4  # an invocation has six connections, and the answer's own are among them
KEPT_IN_KV_SECONDS = 86_400

# What they take in memory, about: of a caller without its lists, and of a model with its name twice.
_CALLER_BYTES, _MODEL_BYTES = 1_200, 1_000


@dataclass(slots=True)
class _Caller:
    """A caller as of a version of its organisation's policy."""

    principal: Principal
    version: int | None
    from_kv: bool = False


@dataclass(slots=True)
class _Models:
    """An organisation's models as of a version of its policy."""

    version: int
    routes: Mapping[str, ModelRoute]
    text: str | None = None  # as KV is told of them, once somebody needs it


class Callers:
    """Accounts by the hash of their key.

    An entry may be old, here and in KV: each request to a model is confirmed by the organisation's gate, which knows
    the current version. So a revoked key is refused at once, although nobody tells this isolate. What the gate has
    called old is read from the store; KV is asked only for a key that this isolate knows nothing of.
    """

    def __init__(self, cache: Cache | None = None, denials: Denials | None = None) -> None:
        self._cache = cache or NoCache()
        self._denials = denials or Denials()
        self._callers: Bounded[str, _Caller] = Bounded(MOST_CACHED, MOST_CACHED_BYTES)
        self._models: Bounded[str, _Models] = Bounded(MOST_CACHED, MOST_MODELS_BYTES)  # by organisation
        self._versions: Bounded[str, tuple[int, int]] = Bounded(MOST_CACHED)  # and when each was learnt, in turns
        self._turn = 0
        self.unpublished: dict[str, Caller | None] = {}  # what KV is to be told, by key hash; None: there is none

    def remembered(self, key_hash: str, now: datetime) -> Caller | None:
        """Return an account from memory, but none that is known to be old or has expired: it may live longer now."""
        caller = self._callers.get(key_hash)
        if caller is None or caller.version is None or caller.version != self._version(caller.principal.org_id):
            return None
        models = self._shared(caller.principal.org_id, caller.version)
        if models is None or caller.principal.expired(now):
            return None
        return Caller(caller.principal, models.routes, caller.version, key_hash)

    async def find(self, database: Database, key_hash: str, now: datetime, older: Sequence[str] = ()) -> Caller | None:
        """Return the account of a key, or None when there is no such key or it is revoked. It may have expired.

        `older` are the hashes that it may be stored under besides: see `key_store.find_principal`.
        """
        account = self.remembered(key_hash, now)
        if account is None and key_hash not in self._callers:
            account = await self._from_cache(key_hash, now)
        return account or await self._from_store(database, key_hash, older)

    async def of_person(
        self, database: Database, name: str | None, find: Callable[[], Awaitable[Principal | None]]
    ) -> Caller | None:
        """Return the account of somebody who has signed in, or None where `find` finds nobody. KV is not told of it.

        Kept in memory by `name`, as a key's is, where there is one.
        """
        before = self._turn  # the read, as below
        principal = await find()
        if name is not None:
            self._callers.pop(name)
        if principal is None:
            return None
        account = await self._with_models(database, principal, self._version(principal.org_id, before), "")
        if name is not None:
            self._keep(name, _Caller(principal, account.version))
        return account

    def policy_is(self, org_id: str, version: int) -> None:
        """Note the current version of an organisation's policy, as its gate tells it."""
        if self._version(org_id) != version:
            self._turn += 1
            self._versions.put(org_id, (version, self._turn))

    def rules_changed(self, org_id: str) -> None:
        """Note that an organisation's limits have changed: what they have refused may pass now."""
        self._denials.forget(org_id)

    async def publish(self) -> None:
        """Tell KV what was read from the store. No client waits for this. Never raises.

        Some at a time, so that each has its time from when it begins; what is late then is left.
        """
        told, self.unpublished = self.unpublished, {}
        left, now = iter(told.items()), asyncio.get_running_loop().time
        until = now() + WRITE_SECONDS

        async def some() -> None:
            for key_hash, account in left:
                if now() >= until:
                    return
                await self._publish(key_hash, account)

        await asyncio.gather(*(some() for _ in range(min(PUBLISHED_AT_ONCE, len(told)))))

    async def _publish(self, key_hash: str, account: Caller | None) -> None:
        if account is None:
            await self._cache.delete(account_name(key_hash))
        else:
            text = to_text(account, self._models_text(account))
            await self._cache.put(account_name(key_hash), text, KEPT_IN_KV_SECONDS)

    async def _from_cache(self, key_hash: str, now: datetime) -> Caller | None:
        name, denied = account_name(key_hash), denial_name(key_hash)
        found = await self._cache.get((name, denied))
        account = from_text(found[name], key_hash, self._shared_routes) if name in found else None
        if account is None or account.version is None or account.principal.expired(now):
            return None
        org_id, version = account.principal.org_id, account.version
        if self._version(org_id) is None:
            self.policy_is(org_id, version)
        if version != self._version(org_id):
            failures.note(Failure.KV_STALE, "an account of an old policy")
            return None
        if denied in found:
            self._denials.recall(org_id, found[denied])
        self._share(org_id, version, account.routes)
        self._keep(key_hash, _Caller(account.principal, version, from_kv=True))
        return account

    async def _from_store(self, database: Database, key_hash: str, older: Sequence[str]) -> Caller | None:
        # The version is that from before the read. If something changes between the two, the gate will say so.
        before = self._turn
        principal = await key_store.find_principal(database, key_hash, older)
        was_in_kv = self._forget(key_hash)
        if principal is None:
            if was_in_kv:
                self._tell(key_hash, None)
            return None
        version = self._version(principal.org_id, before)
        account, teams = await asyncio.gather(
            self._with_models(database, principal, version, key_hash), _covering_teams(database, principal)
        )
        account = account._replace(principal=replace(principal, member_of=teams))
        self._keep(key_hash, _Caller(account.principal, version))
        if principal.suspended:  # KV has no word for it, and must not have what the key may do otherwise
            self._tell(key_hash, None)
        elif version is not None:
            self._tell(key_hash, account._replace(just_read=False))
        return account

    async def _with_models(
        self, database: Database, principal: Principal, version: int | None, key_hash: str
    ) -> Caller:
        """Return an account of somebody who was just read, with its organisation's models."""
        models = self._shared(principal.org_id, version)
        if models is not None:
            return Caller(principal, models.routes, version, key_hash)
        routes = await model_store.routes_of(database, principal.org_id)
        if version is not None:
            self._share(principal.org_id, version, routes)
        return Caller(principal, routes, version, key_hash, just_read=True)

    def _version(self, org_id: str, at: int | None = None) -> int | None:
        """Return the version of an organisation's policy; None where none is known, or none was `at` that turn."""
        version, turn = self._versions.get(org_id) or (None, 0)
        return version if at is None or turn <= at else None

    def _shared(self, org_id: str, version: int | None) -> _Models | None:
        models = self._models.get(org_id)
        return models if models is not None and models.version == version else None

    def _shared_routes(self, org_id: str, version: int) -> Mapping[str, ModelRoute] | None:
        models = self._shared(org_id, version)
        return None if models is None else models.routes

    def _share(self, org_id: str, version: int, routes: Mapping[str, ModelRoute]) -> None:
        if self._shared(org_id, version) is None:
            self._models.put(org_id, _Models(version, routes), 500 + len(routes) * _MODEL_BYTES)

    def _models_text(self, account: Caller) -> str:
        models = self._shared(account.principal.org_id, account.version)
        if models is None:
            return routes_text(account.routes)
        if models.text is None:
            models.text = routes_text(models.routes)
        return models.text

    def _keep(self, key_hash: str, caller: _Caller) -> None:
        self._callers.put(key_hash, caller, _size(caller.principal))

    def _forget(self, key_hash: str) -> bool:
        """Drop an account from memory; tell whether KV is likely to have it, old."""
        known = self._callers.pop(key_hash)
        if known is not None and known.from_kv and known.version != self._version(known.principal.org_id):
            failures.note(Failure.KV_STALE, "an account of an old policy")
        return known is not None and known.version is not None

    def _tell(self, key_hash: str, account: Caller | None) -> None:
        if len(self.unpublished) < MOST_UNPUBLISHED:
            self.unpublished[key_hash] = account


def _size(principal: Principal) -> int:
    """Return how many bytes a caller takes in memory, about."""
    bounds = (principal.scopes, principal.models, principal.ip_ranges, principal.origins)
    texts = [principal.makers, principal.member_of, *(text for texts in bounds for text in texts or ())]
    return _CALLER_BYTES + sum(100 + len(text) for text in texts)


async def _covering_teams(database: Database, principal: Principal) -> str:
    """Return the teams that count what a key's person does, whatever team the key is in; none where it has nobody."""
    if principal.user_id is None:
        return ""
    return await person_store.covering_teams(database, principal.user_id, principal.org_id)
