"""What an organisation adds to its budgets for a while: top-ups, and overrides."""

from __future__ import annotations

from datetime import datetime, timedelta

from lib.admission import adjustment_store
from lib.admission.adjustment_store import EPOCH, MOST_ADJUSTMENTS, TOP_UP, milliseconds
from lib.admission.windows import CALENDAR, window_of
from lib.audit.differences import differences
from lib.audit.noting import noting
from lib.http.errors import NotFound, UnprocessableEntity
from lib.identity import org_service
from lib.identity.models import Principal
from lib.ids import is_id, new_id
from lib.services import Services
from lib.store.conditions import found
from lib.store.database import ForeignKeyViolation
from lib.store.schema import BudgetAdjustmentRow, BudgetRow


async def create(
    services: Services,
    principal: Principal,
    budget: BudgetRow,
    kind: str,
    amount_nano_usd: int,
    note: str | None,
    expires_at: datetime | None,
) -> BudgetAdjustmentRow:
    """Make an adjustment. It holds from the answer on, until `expires_at`, or else for good.

    Without `expires_at` a top-up of a calendar budget ends with the window that runs now.
    """
    now = services.clock.now()
    if expires_at is not None and expires_at <= now:
        raise UnprocessableEntity("`expires_at` is over already.", param="expires_at")
    if kind == TOP_UP and not amount_nano_usd:
        raise UnprocessableEntity("A top-up adds something.", param="amount_nano_usd")
    if expires_at is None and kind == TOP_UP and budget.spend_window in CALENDAR:
        org = await org_service.get(services, principal, principal.org_id)
        _, end_ms = window_of(budget.spend_window, org.time_zone, milliseconds(now))
        expires_at = EPOCH + timedelta(milliseconds=end_ms)
    row = BudgetAdjustmentRow(
        id=new_id(now),
        org_id=principal.org_id,
        budget_id=budget.id,
        kind=kind,
        amount_nano_usd=amount_nano_usd,
        note=note,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )
    made = found("budget_adjustments", principal.org_id, row.id)
    noted = noting(
        services,
        principal,
        "budget.adjusted",
        f"budget:{budget.id}",
        after=made,
        details={"adjustment": row.id, **differences(None, row)},
    )
    try:
        if not await adjustment_store.insert_adjustment(noted, row):
            raise UnprocessableEntity(f"A budget has at most {MOST_ADJUSTMENTS} adjustments that have not expired.")
    except ForeignKeyViolation:  # somebody has deleted it since it was read
        raise NotFound("There is no such budget.") from None
    await services.gates.rules_changed(principal.org_id)
    return row


async def get(services: Services, principal: Principal, budget_id: str, adjustment_id: str) -> BudgetAdjustmentRow:
    """Return one adjustment. Raises NotFound: also when it has expired, and for another organisation's."""
    row = None
    if is_id(budget_id) and is_id(adjustment_id):
        row = await adjustment_store.get_adjustment(
            services.database, principal.org_id, budget_id, adjustment_id, services.clock.now()
        )
    if row is None:
        raise NotFound("There is no such adjustment.")
    return row


async def delete(services: Services, principal: Principal, budget_id: str, adjustment_id: str) -> None:
    """Delete an adjustment. It no longer holds from the answer on. Raises NotFound."""
    row = await get(services, principal, budget_id, adjustment_id)
    there = found("budget_adjustments", principal.org_id, row.id)
    noted = noting(
        services,
        principal,
        "budget.adjustment_deleted",
        f"budget:{budget_id}",
        before=there,
        details={"adjustment": row.id, **differences(row, None)},
    )
    if not await adjustment_store.delete_adjustment(noted, principal.org_id, budget_id, row.id):
        raise NotFound("There is no such adjustment.")
    await services.gates.rules_changed(principal.org_id)
