"""`/api/v1/budgets`: how much an organisation's callers may spend, and what they have spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lib.access.principal import Permission
from lib.admission import rule_store
from lib.admission.counters import Counter
from lib.admission.rules import EACH, MOST_AMOUNT, effective
from lib.http.paging import PageQuery, page_of
from lib.rules import rule_service
from lib.rules.rule_service import BUDGET
from lib.store.schema import BudgetRow
from lib.web.app import App
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import change, make, read, remove
from routes.api.rule_schemas import (
    NEW_RULE,
    RULE_TAG,
    Covers,
    NewRuleScope,
    RuleScope,
    covers_of,
    delete,
    scope_of,
    wanted,
)
from routes.money import InDollars, Usd, either, one_of
from routes.schemas import RECENT, Name

SHORTEST_ROLLING, LONGEST_ROLLING = 60, 31_536_000
_FORBID = ConfigDict(extra="forbid")


def _rolling(window: str) -> str:
    _, colon, seconds = window.partition(":")
    if colon and not SHORTEST_ROLLING <= int(seconds) <= LONGEST_ROLLING:
        raise ValueError(f"a rolling window has {SHORTEST_ROLLING} to {LONGEST_ROLLING} seconds")
    return window


_Window = Annotated[
    str,
    StringConstraints(pattern=r"^(total|day|week|month|rolling:[1-9][0-9]{0,8})$"),
    AfterValidator(_rolling),
]
_NanoUsd = Annotated[int, Field(ge=0, le=MOST_AMOUNT, strict=True)]


class Mode(StrEnum):
    """What a budget does. A hard one refuses what might go beyond it; a soft one only warns."""

    HARD = "hard"
    SOFT = "soft"


class CreateBudget(BaseModel):
    """A budget to make; its limit is nano-dollars (10⁻⁹ USD) or a text of dollars. It counts from its creation.

    `window` is `total`, `day`, `week` (from Monday) or `month`, by the organisation's time zone, or `rolling:SECONDS`.
    """

    model_config = _FORBID
    name: Name | None = None
    scope: NewRuleScope
    covers: Annotated[Covers | None, Field(description="Of a team's rule alone; `keys` where nothing is said")] = None
    window: _Window
    limit_nano_usd: _NanoUsd | None = None
    limit_usd: Usd | None = None
    mode: Mode = Mode.HARD

    @model_validator(mode="after")
    def _one_limit(self) -> CreateBudget:
        one_of(self.limit_nano_usd, self.limit_usd, "the limit")
        return self


class UpdateBudget(BaseModel):
    """What to change of a budget; what is not named stays. `name` may be null, which takes it away."""

    model_config = _FORBID
    name: Name | None = None
    limit_nano_usd: _NanoUsd | None = None
    limit_usd: Usd | None = None
    mode: Mode | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> UpdateBudget:
        either(self.limit_nano_usd, self.limit_usd, "the limit")
        return self


class Budget(InDollars):
    """A budget and what is spent of it now. `reserved_nano_usd` is held for requests that are under way.

    `effective_limit_nano_usd` is the amount that holds now: with all top-ups and overrides that have not expired.
    What is spent, held and left is null for a budget of each (`*`). `resets_at` is when the window ends; null for
    `total` and `rolling`, and for a budget of each.
    """

    id: str
    name: str | None
    scope: RuleScope
    covers: Covers | None
    window: str
    limit_nano_usd: int
    effective_limit_nano_usd: int
    mode: Mode
    spent_nano_usd: int | None
    reserved_nano_usd: int | None
    remaining_nano_usd: int | None
    resets_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def list_budgets(call: Call[None, PageQuery]) -> Listing[Budget]:
    """List budgets, newest first."""
    shown, more = await page_of(BUDGET.table, call.parts.database, call.org_id, call.query)
    counters = await call.parts.gates.counters(call.org_id) if shown else {}
    amounts = await _amounts(call.parts, shown)
    return Listing([_budget(row, amounts[row.id], counters) for row in shown], more)


async def create_budget(call: Call[CreateBudget, NoQuery]) -> Item[Budget]:
    """Make a budget."""
    body = call.body
    most = one_of(body.limit_nano_usd, body.limit_usd, "the limit")
    shared = await rule_service.shared(call.parts, call.principal, body.scope.wanted(body.covers), body.name)
    row = BudgetRow(**shared, spend_window=body.window, limit_nano_usd=most, mode=body.mode)
    return await _shown(call, await BUDGET.create(call.work, row))


async def get_budget(call: Plain) -> Item[Budget]:
    """Show one budget."""
    return await _shown(call, await BUDGET.get(call.parts.database, call.org_id, call.path["id"]))


async def update_budget(call: Call[UpdateBudget, NoQuery]) -> Item[Budget]:
    """Change a budget's amount or mode."""
    row, body = await wanted(call, BUDGET), call.body
    most = either(body.limit_nano_usd, body.limit_usd, "the limit")
    changed = replace(
        row,
        name=body.name if "name" in body.model_fields_set else row.name,
        limit_nano_usd=row.limit_nano_usd if most is None else most,
        mode=body.mode or row.mode,
    )
    return await _shown(call, await BUDGET.update(call.work, row, changed))


async def delete_budget(call: Plain) -> None:
    """Delete a budget."""
    await delete(call, BUDGET)


async def _amounts(parts: App, rows: Sequence[BudgetRow]) -> Mapping[str, int]:
    """Return what holds now of each of the budgets, which are sorted by id, newest first."""
    if not rows:
        return {}
    adjusted = await rule_store.adjustments(parts.database, rows[0].org_id, rows[-1].id, rows[0].id)
    now = rule_store.milliseconds(parts.clock.now())
    return {row.id: effective(row.limit_nano_usd, adjusted.get(row.id, ()), now) for row in rows}


def _budget(row: BudgetRow, most: int, counters: Mapping[str, Counter]) -> Budget:
    counter = None if row.scope_id == EACH else counters.get(row.id, Counter(0, 0, None))
    resets_ms = counter.resets_at_ms if counter else None
    return Budget(
        id=row.id,
        name=row.name,
        scope=scope_of(row),
        covers=covers_of(row),
        window=row.spend_window,
        limit_nano_usd=row.limit_nano_usd,
        effective_limit_nano_usd=most,
        mode=Mode(row.mode),
        spent_nano_usd=counter.used if counter else None,
        reserved_nano_usd=counter.reserved if counter else None,
        remaining_nano_usd=max(0, most - counter.used - counter.reserved) if counter else None,
        resets_at=None if resets_ms is None else datetime.fromtimestamp(resets_ms / 1000, UTC),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def _shown(call: Call[Any, Any], row: BudgetRow) -> Item[Budget]:
    amounts = await _amounts(call.parts, [row])
    shown = _budget(row, amounts[row.id], await call.parts.gates.counters(row.org_id))
    return Item(shown, row.version)


ROUTES = [
    read("/api/v1/budgets", Permission.BUDGETS_READ, list_budgets, "List budgets", RECENT),
    make("/api/v1/budgets", Permission.BUDGETS_WRITE, create_budget, "Make a budget", NEW_RULE),
    read("/api/v1/budgets/{id}", Permission.BUDGETS_READ, get_budget, "Show a budget", RULE_TAG),
    change(
        "/api/v1/budgets/{id}",
        Permission.BUDGETS_WRITE,
        update_budget,
        "Change a budget",
        "Needs `If-Match` with the budget's ETag. Its scope and window stay: others are another budget.",
    ),
    remove("/api/v1/budgets/{id}", Permission.BUDGETS_WRITE, delete_budget, "Delete a budget", errors=(412,)),
]
