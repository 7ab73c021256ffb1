"""`/api/v1/budgets/{id}/adjustments`: what is added to a budget, or takes its amount's place, for a while."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lib.access.principal import Permission
from lib.admission.rule_store import ADJUSTMENTS, HOLDS
from lib.admission.rules import MOST_AMOUNT
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.kernel.errors import NotFound
from lib.kernel.text import PRINTABLE
from lib.rules import rule_service
from lib.rules.rule_service import ADJUSTMENT, BUDGET
from lib.store.schema import BudgetAdjustmentRow
from lib.web.operation import Call, Listing, NoQuery, Plain
from lib.web.route import make, read, remove
from routes.money import InDollars, Usd, one_of
from routes.schemas import RECENT, Time

_Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE)]


class Kind(StrEnum):
    """What an adjustment does: a top-up is added to the amount, an override takes its place."""

    TOP_UP = "top_up"
    OVERRIDE = "override"


class CreateAdjustment(BaseModel):
    """An adjustment to make, in nano-dollars (10⁻⁹ USD) or as a text of dollars. It holds until `expires_at`.

    Without `expires_at`, a top-up of a budget by day, week or month ends with the window that runs now. All others hold
    until they are deleted.
    """

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    amount_nano_usd: Annotated[int, Field(ge=0, le=MOST_AMOUNT, strict=True)] | None = None
    amount_usd: Usd | None = None
    note: _Note | None = None
    expires_at: Time | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> CreateAdjustment:
        one_of(self.amount_nano_usd, self.amount_usd, "the amount")
        return self


class Adjustment(InDollars):
    """An adjustment of a budget. Without `expires_at` it holds until it is deleted."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    budget_id: str
    kind: Kind
    amount_nano_usd: int
    note: str | None
    expires_at: datetime | None
    created_at: datetime


async def list_adjustments(call: Call[None, PageQuery]) -> Listing[Adjustment]:
    """List a budget's adjustments, newest first."""
    [before] = decode_cursor(call.query.cursor, [ADJUSTMENTS.start])
    budget = await BUDGET.get(call.parts.database, call.org_id, call.path["id"])
    most, now = call.query.limit, call.parts.clock.now()
    rows = await ADJUSTMENTS.page(call.parts.database, budget.org_id, before, most + 1, HOLDS, budget.id, now)
    shown, more = cut(rows, most, lambda row: [row.id])
    return Listing([Adjustment.model_validate(row) for row in shown], more)


async def create_adjustment(call: Call[CreateAdjustment, NoQuery]) -> Adjustment:
    """Make an adjustment."""
    budget, body = await BUDGET.get(call.parts.database, call.org_id, call.path["id"]), call.body
    amount = one_of(body.amount_nano_usd, body.amount_usd, "the amount")
    return Adjustment.model_validate(
        await rule_service.adjust(call.parts, call.principal, budget, body.kind, amount, body.note, body.expires_at)
    )


async def get_adjustment(call: Plain) -> Adjustment:
    """Show one adjustment."""
    return Adjustment.model_validate(await _wanted(call))


async def delete_adjustment(call: Plain) -> None:
    """Delete an adjustment."""
    row = await _wanted(call)
    if not await ADJUSTMENT.delete(call.work, row):
        raise NotFound("There is no such adjustment.")


async def _wanted(call: Plain) -> BudgetAdjustmentRow:
    return await rule_service.adjustment(call.parts, call.principal, call.path["id"], call.path["adjustment_id"])


ROUTES = [
    read(
        "/api/v1/budgets/{id}/adjustments",
        Permission.BUDGETS_READ,
        list_adjustments,
        "List a budget's adjustments",
        f"Those that have expired are not among them. {RECENT}",
    ),
    make(
        "/api/v1/budgets/{id}/adjustments",
        Permission.BUDGETS_WRITE,
        create_adjustment,
        "Top a budget up, or override its amount, for a while",
        "It holds from the answer on. All top-ups that hold are added; of overrides the newest that holds counts."
        " A budget has at most 50 adjustments that have not expired, and comes to at most 2^53.",
    ),
    read(
        "/api/v1/budgets/{id}/adjustments/{adjustment_id}",
        Permission.BUDGETS_READ,
        get_adjustment,
        "Show an adjustment of a budget",
    ),
    remove(
        "/api/v1/budgets/{id}/adjustments/{adjustment_id}",
        Permission.BUDGETS_WRITE,
        delete_adjustment,
        "Delete an adjustment of a budget",
        "It no longer holds from the answer on. Calls that it let in go on.",
    ),
]
