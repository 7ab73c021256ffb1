"""Keys for browsers: a server mints one for one end user. Whoever finds it can do little with it, and not for long.

It is bound to models, to the origins of pages, and to a budget in total, which is an ordinary budget of that key: made
in the same group as the key, and deleted when the key has ended. The row of the key stays, as a revoked key's does: the
ledger names it for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lib.access.bounds import Bounds, require_within
from lib.access.principal import INFERENCE_SCOPES, Principal
from lib.admission import policy_store, rule_store
from lib.audit.differences import differences
from lib.defence.parts import Guarded
from lib.events.event import Detail, Event
from lib.kernel.errors import UnprocessableEntity
from lib.kernel.ids import new_id
from lib.keys import key_rules, key_service, key_store
from lib.keys.key_store import BROWSER, KEYS
from lib.secrets import api_keys
from lib.store.schema import ApiKeyRow, BudgetRow
from lib.store.tenant import Org

LONGEST_MINUTES = 60
# How long the budget of an ended key stays: calls may be under way when it ends, and are settled later.
SETTLING = timedelta(hours=2)
# How far back the daily work looks for ended keys: it may have failed on some days.
_LOOKED_BACK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to mint. Without `scopes`: what the minting key has of those that call models."""

    name: str
    end_user: str
    minutes: int
    budget_nano_usd: int
    models: frozenset[str]
    origins: frozenset[str]
    ip_ranges: frozenset[str] | None = None
    scopes: frozenset[str] | None = None


async def mint(parts: Guarded, principal: Principal, wanted: Wanted) -> tuple[ApiKeyRow, str]:
    """Make a browser's key and its budget; return the key and its secret. Both hold from then on.

    It gives nothing that the minting key has not, with one exception: the IP ranges of that are those of a server.
    """
    scopes = wanted.scopes if wanted.scopes is not None else frozenset(INFERENCE_SCOPES) & principal.scopes
    if not scopes:
        raise UnprocessableEntity("Your key has no scope that it could give to a browser's key.", param="scopes")
    if not scopes <= set(INFERENCE_SCOPES):
        raise UnprocessableEntity("A browser's key may call models, and no more.", param="scopes")
    key_rules.not_wider(principal, scopes)
    bounds = Bounds(wanted.models, wanted.ip_ranges, wanted.origins)
    require_within(principal, bounds, from_anywhere=True)
    work = parts.work(principal.actor)
    now = work.now
    ends = now + timedelta(minutes=wanted.minutes)
    key_rules.not_longer(principal, ends)
    secret = api_keys.new_key()
    key = await key_service.new_key(
        parts, principal, now, secret, wanted.name, scopes, ends, bounds, principal.team_id, BROWSER, wanted.end_user
    )
    budget = BudgetRow(
        new_id(now),
        key.org_id,
        "key",
        key.id,
        None,
        "total",
        wanted.budget_nano_usd,
        "hard",
        1,
        now,
        now,
        None,
        rule_store.KEYS,
    )
    group = [
        rule_store.delete_of_ended_keys(key.org_id, now - SETTLING),
        rule_store.insert_minted(budget, principal.key_id),
        key_store.insert_with_budget(key, budget.id),
    ]
    details: dict[str, Detail] = {"budget_nano_usd": wanted.budget_nano_usd, **differences(None, key)}
    rule = policy_store.minted(budget, ends + SETTLING)
    event = Event("key.minted", Org(key.org_id), f"key:{key.id}", details, rule=rule)
    if not await work.commit(event, *group, if_made=KEYS.found(key.org_id, key.id)):
        raise UnprocessableEntity(
            f"An organisation has at most {rule_store.MOST_MINTED} browsers' keys at a time.",
            code="too_many_browser_keys",
        )
    return await key_service.get(parts, principal, key.id), secret


async def purge(parts: Guarded) -> int:
    """Delete the budgets of browsers' keys that have ended; return how many."""
    now = parts.clock.now()
    deleted = 0
    for org_id in await key_store.organisations_of_ended(parts.database, now - _LOOKED_BACK, now - SETTLING):
        [budgets] = await parts.database.batch(Org(org_id), [rule_store.delete_of_ended_keys(org_id, now - SETTLING)])
        if budgets:
            await parts.gates.rules_changed(org_id)
        deleted += budgets
    return deleted
