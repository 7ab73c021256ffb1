"""`/api/v1/budgets/{id}/adjustments`: what is added to a budget, or takes its amount's place, for a while."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lib.access.principal import Permission, Principal
from lib.admission.rule_store import ADJUSTMENTS, HOLDS
from lib.admission.rules import MOST_AMOUNT
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import NotFound
from lib.kernel.text import PRINTABLE
from lib.rules import rule_service
from lib.rules.rule_service import ADJUSTMENT, BUDGET
from lib.store.schema import BudgetAdjustmentRow
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, make, read, remove
from routes.money import InDollars, Usd, one_of
from routes.schemas import RECENT, One, Page, Time

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

    id: str
    budget_id: str
    kind: Kind
    amount_nano_usd: int
    note: str | None
    expires_at: datetime | None
    created_at: datetime


async def list_adjustments(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List a budget's adjustments, newest first."""
    [before] = decode_cursor(request.query.cursor, [ADJUSTMENTS.start])
    budget = await BUDGET.get(parts.database, principal.org_id, request.path["id"])
    most, now = request.query.limit, parts.clock.now()
    rows = await ADJUSTMENTS.page(parts.database, budget.org_id, before, most + 1, HOLDS, budget.id, now)
    shown, more = cut(rows, most, lambda row: [row.id])
    return render.page([_adjustment(row) for row in shown], more)


async def create_adjustment(
    parts: App, request: Validated[CreateAdjustment, NoQuery], principal: Principal
) -> Response:
    """Make an adjustment."""
    budget, body = await BUDGET.get(parts.database, principal.org_id, request.path["id"]), request.body
    amount = one_of(body.amount_nano_usd, body.amount_usd, "the amount")
    row = await rule_service.adjust(parts, principal, budget, body.kind, amount, body.note, body.expires_at)
    location = f"/api/v1/budgets/{budget.id}/adjustments/{row.id}"
    return render.data(_adjustment(row), status=201, headers={"location": location})


async def get_adjustment(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one adjustment."""
    return render.data(_adjustment(await _wanted(parts, request, principal)))


async def delete_adjustment(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Delete an adjustment."""
    row = await _wanted(parts, request, principal)
    if not await ADJUSTMENT.delete(parts.work(principal.actor), row):
        raise NotFound("There is no such adjustment.")
    return render.no_content()


async def _wanted(parts: App, request: Validated[None, NoQuery], principal: Principal) -> BudgetAdjustmentRow:
    return await rule_service.adjustment(parts, principal, request.path["id"], request.path["adjustment_id"])


def _adjustment(row: BudgetAdjustmentRow) -> Adjustment:
    return Adjustment.model_validate({name: getattr(row, name) for name in Adjustment.model_fields})


ROUTES = [
    read(
        "/api/v1/budgets/{id}/adjustments",
        Permission.BUDGETS_READ,
        list_adjustments,
        Page[Adjustment],
        "List a budget's adjustments",
        f"Those that have expired are not among them. {RECENT}",
    ),
    make(
        "/api/v1/budgets/{id}/adjustments",
        Permission.BUDGETS_WRITE,
        create_adjustment,
        One[Adjustment],
        "Top a budget up, or override its amount, for a while",
        "It holds from the answer on. All top-ups that hold are added; of overrides the newest that holds counts."
        " A budget has at most 50 adjustments that have not expired, and comes to at most 2^53.",
    ),
    read(
        "/api/v1/budgets/{id}/adjustments/{adjustment_id}",
        Permission.BUDGETS_READ,
        get_adjustment,
        One[Adjustment],
        "Show an adjustment of a budget",
    ),
    remove(
        "/api/v1/budgets/{id}/adjustments/{adjustment_id}",
        Permission.BUDGETS_WRITE,
        delete_adjustment,
        None,
        "Delete an adjustment of a budget",
        "It no longer holds from the answer on. Calls that it let in go on.",
    ),
]
