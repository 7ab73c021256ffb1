"""Limits, budgets and what is added to budgets for a while, as their organisation manages them.

All hold, or no longer do, from the answer on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from lib.access.principal import Principal
from lib.admission import rule_store
from lib.admission.rule_store import ADJUSTMENTS, BUDGETS, EPOCH, HOLDS, KEYS, LIMITS, TOP_UP, milliseconds
from lib.admission.rules import EACH, Unit
from lib.admission.windows import CALENDAR, window_of
from lib.collection import Collection
from lib.events.parts import Parts
from lib.kernel.errors import NotFound, UnprocessableEntity
from lib.kernel.ids import is_id, new_id
from lib.keys import key_store
from lib.orgs import org_service
from lib.store.database import Database, ForeignKeyViolation
from lib.store.schema import BudgetAdjustmentRow, BudgetRow, LimitRow
from lib.tenants import owner_store

MOST_BURST = 10  # times the limit

LIMIT = Collection(
    "limit",
    LIMITS,
    ("limit.created", "limit.updated", "limit.deleted"),
    full=partial(UnprocessableEntity, f"An organisation has at most {LIMITS.most} limits."),
)
BUDGET = Collection(
    "budget",
    BUDGETS,
    ("budget.created", "budget.updated", "budget.deleted"),
    full=partial(UnprocessableEntity, f"An organisation has at most {BUDGETS.most} budgets."),
)
ADJUSTMENT = Collection(
    "adjustment",
    ADJUSTMENTS,
    ("budget.adjusted", "", "budget.adjustment_deleted"),  # none ever changes
    full=partial(UnprocessableEntity, f"A budget has at most {ADJUSTMENTS.most} adjustments that have not expired."),
    part_of=("budget", "budget_id"),
)


@dataclass(frozen=True, slots=True)
class WantedScope:
    """Whom a new rule is to be about, as the client says it. Only an organisation's own `id` may be left out.

    `covers`: of a team, `keys` that belong to it, or also its `members`; None: keys.
    """

    type: str
    id: str | None = None
    model: str | None = None
    covers: str | None = None


async def shared(parts: Parts, principal: Principal, scope: WantedScope, name: str | None) -> Mapping[str, Any]:
    """Return the columns that a new limit and a new budget have in common. Raises UnprocessableEntity."""
    now = parts.clock.now()
    return {
        "scope_type": scope.type,
        "scope_id": await _subject(parts, principal, scope),
        "scope_model": scope.model,
        "covers": scope.covers or KEYS,
        "name": name,
        "version": 1,
        **_begun(principal, now),
    }


def _begun(principal: Principal, now: datetime) -> dict[str, Any]:
    return {"id": new_id(now), "org_id": principal.org_id, "created_at": now, "updated_at": now}


async def adjust(
    parts: Parts,
    principal: Principal,
    budget: BudgetRow,
    kind: str,
    amount_nano_usd: int,
    note: str | None,
    expires_at: datetime | None,
) -> BudgetAdjustmentRow:
    """Make an adjustment, which holds until `expires_at`, or else for good.

    Without `expires_at` a top-up of a calendar budget ends with the window that runs now.
    """
    now = parts.clock.now()
    if expires_at is not None and expires_at <= now:
        raise UnprocessableEntity("`expires_at` is over already.", param="expires_at")
    if kind == TOP_UP and not amount_nano_usd:
        raise UnprocessableEntity("A top-up adds something.", param="amount_nano_usd")
    if expires_at is None and kind == TOP_UP and budget.spend_window in CALENDAR:
        org = await org_service.get(parts, principal.org_id)
        _, end_ms = window_of(budget.spend_window, org.time_zone, milliseconds(now))
        expires_at = EPOCH + timedelta(milliseconds=end_ms)
    row = BudgetAdjustmentRow(
        **_begun(principal, now),
        budget_id=budget.id,
        kind=kind,
        amount_nano_usd=amount_nano_usd,
        note=note,
        expires_at=expires_at,
    )
    expired = rule_store.delete_expired(row.org_id, row.budget_id, now)
    try:
        return await ADJUSTMENT.create(parts.work(principal.actor), row, expired)
    except ForeignKeyViolation:  # somebody has deleted it since it was read
        raise NotFound("There is no such budget.") from None


async def adjustment(parts: Parts, principal: Principal, budget_id: str, row_id: str) -> BudgetAdjustmentRow:
    """Return one adjustment. Raises NotFound: also when it has expired, and for another organisation's."""
    if not is_id(budget_id):
        raise NotFound("There is no such adjustment.")
    now = parts.clock.now()
    return await ADJUSTMENT.get(parts.database, principal.org_id, row_id, HOLDS, budget_id, now)


def check_limit(row: LimitRow) -> LimitRow:
    """Return a limit that makes sense. Raises UnprocessableEntity."""
    if row.unit == Unit.CONCURRENT:
        if row.window_seconds is not None or row.burst is not None:
            raise UnprocessableEntity("A limit on concurrent requests has no window and no burst.")
        return row
    if row.window_seconds is None:
        raise UnprocessableEntity(f"A limit on {row.unit} needs a window.", param="window_seconds")
    if row.burst is not None and row.burst > row.amount * MOST_BURST:
        raise UnprocessableEntity(f"A burst is at most {MOST_BURST} times the limit.", param="burst")
    return row


async def _subject(parts: Parts, principal: Principal, scope: WantedScope) -> str:
    """Return the id that a rule of this scope is about. Raises UnprocessableEntity."""
    if scope.type == "model" and scope.model is not None:
        raise UnprocessableEntity("A rule for a model has it as its id, and no `model` beside it.", param="scope.model")
    if scope.model == EACH:
        raise UnprocessableEntity("`model` names one model. For each model, make a rule for them.", param="scope.model")
    if scope.covers is not None and scope.type != "team":
        raise UnprocessableEntity("Only a rule for a team says what of it is covered.", param="covers")
    if scope.type == "org":
        return _own(principal, scope.id)
    if scope.id is None:
        raise UnprocessableEntity(f"Say whom it is for: an id, or {EACH} for each.", param="scope.id")
    if scope.type in _EXISTS and scope.id != EACH and not await _exists(parts, principal, scope.type, scope.id):
        raise UnprocessableEntity(f"There is no such {scope.type}.", param="scope.id")
    if scope.type == "key" and scope.id != EACH:
        await _not_replaced(parts, principal, scope.id)
    return scope.id


async def _not_replaced(parts: Parts, principal: Principal, key_id: str) -> None:
    """Raise UnprocessableEntity for a key that has a successor: rules have moved to that, and count for both."""
    key = await key_store.KEYS.get(parts.database, principal.org_id, key_id)
    if key is not None and key.replaced_by_key_id is not None:
        message = f"The key has been replaced. A rule for {key.replaced_by_key_id} counts for both."
        raise UnprocessableEntity(message, code="key_replaced", param="scope.id")


def _own(principal: Principal, org_id: str | None) -> str:
    if org_id not in (None, principal.org_id):
        raise UnprocessableEntity("A rule for an organisation is for your own.", param="scope.id")
    return principal.org_id


async def _exists(parts: Parts, principal: Principal, level: str, subject: str) -> bool:
    return is_id(subject) and await _EXISTS[level](parts.database, principal.org_id, subject)


async def _is_key(database: Database, org_id: str, key_id: str) -> bool:
    return await key_store.KEYS.get(database, org_id, key_id) is not None


# The levels whose subjects an organisation has a list of.
_EXISTS = {"key": _is_key, "team": owner_store.is_team, "user": owner_store.is_member}
