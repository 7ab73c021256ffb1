"""Limits and budgets as their organisation manages them: what may be made and changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lib.admission import policy_store
from lib.admission.rules import EACH, Unit
from lib.audit.differences import differences
from lib.audit.noting import noting
from lib.http.errors import NotFound, PreconditionFailed, UnprocessableEntity
from lib.identity import key_store, owner_store
from lib.identity.models import Principal
from lib.ids import is_id, new_id
from lib.services import Services
from lib.store.conditions import found
from lib.store.database import Database
from lib.store.schema import BudgetRow, LimitRow

MOST_BURST = 10  # times the limit


@dataclass(frozen=True, slots=True)
class WantedScope:
    """Whom a new rule is to be about, as the client says it. Only an organisation's own `id` may be left out.

    `covers`: of a team, `keys` that belong to it, or also its `members`; None: keys.
    """

    type: str
    id: str | None = None
    model: str | None = None
    covers: str | None = None


async def create_limit(
    services: Services,
    principal: Principal,
    scope: WantedScope,
    unit: str,
    amount: int,
    window_seconds: int | None,
    burst: int | None,
    name: str | None = None,
) -> LimitRow:
    """Make a limit. It holds from the answer on."""
    subject = await _subject(services, principal, scope)
    now = services.clock.now()
    row = LimitRow(
        id=new_id(now),
        org_id=principal.org_id,
        scope_type=scope.type,
        scope_id=subject,
        scope_model=scope.model,
        unit=unit,
        amount=amount,
        window_seconds=window_seconds,
        burst=burst,
        version=1,
        created_at=now,
        updated_at=now,
        name=name,
        covers=scope.covers or policy_store.KEYS,
    )
    _check_limit(row)
    made = found("limits", principal.org_id, row.id)
    noted = noting(services, principal, "limit.created", f"limit:{row.id}", after=made, details=differences(None, row))
    if not await policy_store.insert_limit(noted, row):
        raise UnprocessableEntity(f"An organisation has at most {policy_store.MOST_LIMITS} limits.")
    await services.gates.rules_changed(principal.org_id)
    return row


async def get_limit(services: Services, principal: Principal, limit_id: str) -> LimitRow:
    """Return one limit. Raises NotFound, also for another organisation's."""
    row = await policy_store.get_limit(services.database, principal.org_id, limit_id) if is_id(limit_id) else None
    if row is None:
        raise NotFound("There is no such limit.")
    return row


async def update_limit(services: Services, principal: Principal, row: LimitRow, wanted: LimitRow) -> LimitRow:
    """Change a limit's name and numbers. Raises PreconditionFailed when somebody else was first."""
    changed = replace(wanted, updated_at=services.clock.now())
    _check_limit(changed)
    unchanged = found("limits", principal.org_id, row.id, row.version)
    noted = noting(
        services,
        principal,
        "limit.updated",
        f"limit:{row.id}",
        before=unchanged,
        details=differences(row, changed),
    )
    if not await policy_store.update_limit(noted, changed, row.version):
        raise PreconditionFailed()
    await services.gates.rules_changed(principal.org_id)
    return replace(changed, version=row.version + 1)


async def delete_limit(
    services: Services, principal: Principal, row: LimitRow, expected_version: int | None = None
) -> None:
    """Delete a limit. It no longer holds from the answer on."""
    there, gone = found("limits", principal.org_id, row.id, expected_version), differences(row, None)
    noted = noting(services, principal, "limit.deleted", f"limit:{row.id}", before=there, details=gone)
    if not await policy_store.delete_limit(noted, principal.org_id, row.id, expected_version):
        raise PreconditionFailed()
    await services.gates.rules_changed(principal.org_id)


async def create_budget(
    services: Services,
    principal: Principal,
    scope: WantedScope,
    window: str,
    limit_nano_usd: int,
    mode: str,
    name: str | None = None,
) -> BudgetRow:
    """Make a budget. It counts from now on."""
    subject = await _subject(services, principal, scope)
    now = services.clock.now()
    row = BudgetRow(
        id=new_id(now),
        org_id=principal.org_id,
        scope_type=scope.type,
        scope_id=subject,
        scope_model=scope.model,
        spend_window=window,
        limit_nano_usd=limit_nano_usd,
        mode=mode,
        version=1,
        created_at=now,
        updated_at=now,
        name=name,
        covers=scope.covers or policy_store.KEYS,
    )
    made = found("budgets", principal.org_id, row.id)
    noted = noting(
        services, principal, "budget.created", f"budget:{row.id}", after=made, details=differences(None, row)
    )
    if not await policy_store.insert_budget(noted, row):
        raise UnprocessableEntity(f"An organisation has at most {policy_store.MOST_BUDGETS} budgets.")
    await services.gates.rules_changed(principal.org_id)
    return row


async def get_budget(services: Services, principal: Principal, budget_id: str) -> BudgetRow:
    """Return one budget. Raises NotFound, also for another organisation's."""
    row = await policy_store.get_budget(services.database, principal.org_id, budget_id) if is_id(budget_id) else None
    if row is None:
        raise NotFound("There is no such budget.")
    return row


async def update_budget(services: Services, principal: Principal, row: BudgetRow, wanted: BudgetRow) -> BudgetRow:
    """Change a budget's name, amount or mode; what is spent stays. Raises PreconditionFailed."""
    changed = replace(wanted, updated_at=services.clock.now())
    unchanged = found("budgets", principal.org_id, row.id, row.version)
    noted = noting(
        services,
        principal,
        "budget.updated",
        f"budget:{row.id}",
        before=unchanged,
        details=differences(row, changed),
    )
    if not await policy_store.update_budget(noted, changed, row.version):
        raise PreconditionFailed()
    await services.gates.rules_changed(principal.org_id)
    return replace(changed, version=row.version + 1)


async def delete_budget(
    services: Services, principal: Principal, row: BudgetRow, expected_version: int | None = None
) -> None:
    """Delete a budget. It no longer holds from the answer on."""
    there, gone = found("budgets", principal.org_id, row.id, expected_version), differences(row, None)
    noted = noting(services, principal, "budget.deleted", f"budget:{row.id}", before=there, details=gone)
    if not await policy_store.delete_budget(noted, principal.org_id, row.id, expected_version):
        raise PreconditionFailed()
    await services.gates.rules_changed(principal.org_id)


async def _subject(services: Services, principal: Principal, scope: WantedScope) -> str:
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
    if scope.type in _EXISTS and scope.id != EACH and not await _exists(services, principal, scope.type, scope.id):
        raise UnprocessableEntity(f"There is no such {scope.type}.", param="scope.id")
    if scope.type == "key" and scope.id != EACH:
        await _not_replaced(services, principal, scope.id)
    return scope.id


async def _not_replaced(services: Services, principal: Principal, key_id: str) -> None:
    """Raise UnprocessableEntity for a key that has a successor: rules have moved to that, and count for both."""
    key = await key_store.get_key(services.database, principal.org_id, key_id)
    if key is not None and key.replaced_by_key_id is not None:
        message = f"The key has been replaced. A rule for {key.replaced_by_key_id} counts for both."
        raise UnprocessableEntity(message, code="key_replaced", param="scope.id")


def _own(principal: Principal, org_id: str | None) -> str:
    if org_id not in (None, principal.org_id):
        raise UnprocessableEntity("A rule for an organisation is for your own.", param="scope.id")
    return principal.org_id


async def _exists(services: Services, principal: Principal, level: str, subject: str) -> bool:
    return is_id(subject) and await _EXISTS[level](services.database, principal.org_id, subject)


async def _is_key(database: Database, org_id: str, key_id: str) -> bool:
    return await key_store.get_key(database, org_id, key_id) is not None


# The levels whose subjects an organisation has a list of.
_EXISTS = {"key": _is_key, "team": owner_store.is_team, "user": owner_store.is_member}


def _check_limit(row: LimitRow) -> None:
    if row.unit == Unit.CONCURRENT:
        if row.window_seconds is not None or row.burst is not None:
            raise UnprocessableEntity("A limit on concurrent requests has no window and no burst.")
        return
    if row.window_seconds is None:
        raise UnprocessableEntity(f"A limit on {row.unit} needs a window.", param="window_seconds")
    if row.burst is not None and row.burst > row.amount * MOST_BURST:
        raise UnprocessableEntity(f"A burst is at most {MOST_BURST} times the limit.", param="burst")
