"""Shapes that several routes answer with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lib.access.policy import Role
from lib.http.paging import PageQuery
from lib.http.periods import Day
from lib.kernel.names import plain
from lib.kernel.text import PRINTABLE
from lib.reconcile import ledger_check
from lib.reconcile.verification import Verdict
from lib.sign_in.passwords import MOST_BYTES, within_bytes
from lib.sign_in.reauthentication import Proof
from lib.sign_in.sign_in_cookies import local_path
from lib.users import addresses
from routes.api.rule_schemas import RuleScope, scope_of
from routes.money import InDollars

Item = TypeVar("Item")
Email = Annotated[str, StringConstraints(max_length=300), AfterValidator(addresses.normal)]
# Of whatever people tell apart by its name.
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=PRINTABLE),
    AfterValidator(plain),
]
# A password that is to be right, and one that is to be chosen: how long it must be is the deployment's to say, and how
# long it may be is counted in bytes (lib/sign_in/passwords.py).
GivenPassword = Annotated[
    str,
    StringConstraints(min_length=1),
    Field(json_schema_extra={"maxLength": MOST_BYTES}),
    AfterValidator(within_bytes),
]
NewPassword = GivenPassword
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
Id = Annotated[str, StringConstraints(min_length=36, max_length=36, pattern=r"^[0-9a-f-]+$")]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=64, pattern=PRINTABLE)]
# Where a browser is sent: on this host, and nowhere else.
LocalPath = Annotated[str, AfterValidator(local_path)]


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the years 1 to 9999") from None


Time = Annotated[AwareDatetime, AfterValidator(_utc)]  # a moment that a client names

# Said of each list that reads with `Read.RECENT`.
RECENT = (
    "May be answered by a replica that lags behind. Send the `x-headgate-bookmark` that a write answered, and"
    " that write is in the list."
)


class Again(BaseModel):
    """What is shown once more: `password`, where the account has one; `totp_code`, where it has codes at sign-in."""

    model_config = ConfigDict(extra="forbid")
    password: GivenPassword | None = None
    totp_code: Code | None = None

    def proof(self) -> Proof:
        """Return it as services take it."""
        return Proof(self.password, self.totp_code)


class GoThere(BaseModel):
    """Where the browser goes now."""

    authorization_url: str


class GivenRole(BaseModel):
    """What somebody is to be: `role`, or in its place one of the organisation's own roles."""

    model_config = ConfigDict(extra="forbid")
    role: Role | None = None
    custom_role_id: Id | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> GivenRole:
        if (self.role is None) == (self.custom_role_id is None):
            raise ValueError("name either role or custom_role_id")
        return self


class DaysQuery(PageQuery):
    """Which records: whole UTC days from `from` to `to`, both included. The last 30 days where nothing is said."""

    start: Annotated[Day | None, Field(alias="from", description="First day, YYYY-MM-DD, UTC")] = None
    to: Annotated[Day | None, Field(description="Last day, YYYY-MM-DD, UTC")] = None
    model: Annotated[str | None, Field(max_length=256, description="Only this model, as the client named it")] = None
    key_id: Annotated[str | None, Field(max_length=36, description="Only this API key")] = None


class PassedThrough(BaseModel):
    """The provider's own answer, as it came."""

    model_config = ConfigDict(extra="allow")


class Mailed(BaseModel):
    """Where a mail goes: what it says is told to nobody else."""

    email: str


class SubjectCheck(InDollars):
    """One subject whose counter is not the ledger's. The counter was read before and after the ledger."""

    model_config = ConfigDict(from_attributes=True)
    subject: str
    verdict: Verdict
    counter_before_nano_usd: Annotated[int, Field(validation_alias="before")]
    counter_nano_usd: Annotated[int, Field(validation_alias="after")]
    ledger_least_nano_usd: Annotated[int, Field(validation_alias="least")]
    ledger_most_nano_usd: Annotated[int, Field(validation_alias="most")]


class BudgetCheck(InDollars):
    """What was found of one budget. Sums are over all its `subjects`; `found` are those that do not agree, 20 at most.

    The ledger gives a range where a call began just before the window, or leaves a rolling one just now.
    """

    budget_id: str
    scope: RuleScope
    window: str
    verdict: Verdict
    reason: str | None
    subjects: int
    counter_nano_usd: int
    ledger_least_nano_usd: int
    ledger_most_nano_usd: int
    found: list[SubjectCheck]

    @classmethod
    def of(cls, check: ledger_check.BudgetCheck) -> BudgetCheck:
        """Return it as it is shown."""
        row = check.row
        return cls(
            budget_id=row.id,
            scope=scope_of(row),
            window=row.spend_window,
            verdict=check.verdict,
            reason=check.reason,
            subjects=check.subjects,
            counter_nano_usd=check.spent,
            ledger_least_nano_usd=check.least,
            ledger_most_nano_usd=check.most,
            found=[SubjectCheck.model_validate(line) for line in check.found],
        )


class LedgerCheck(InDollars):
    """What was found of one organisation. `refused_records` are in its gate only: the store would not take them."""

    org_id: str
    verdict: Verdict
    refused_records: int
    budgets: list[BudgetCheck]

    @classmethod
    def of(cls, check: ledger_check.OrgCheck) -> LedgerCheck:
        """Return it as it is shown."""
        budgets = [BudgetCheck.of(budget) for budget in check.budgets]
        return cls(org_id=check.org_id, verdict=check.verdict, refused_records=check.refused, budgets=budgets)
