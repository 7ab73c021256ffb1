"""`/api/v1/keys/actions`: keys for browsers, and keys that have leaked."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lib.access.principal import INFERENCE_SCOPES, Permission
from lib.admission.rule_store import MOST_MINTED
from lib.admission.rules import MOST_AMOUNT, MOST_END_USER
from lib.kernel.text import PRINTABLE
from lib.keys import browser_keys, leaks
from lib.keys.browser_keys import LONGEST_MINUTES, Wanted
from lib.web.operation import Call, Item, NoQuery
from lib.web.route import act, make
from routes.api.key_schemas import IpRanges, KeyWithSecret, Models, Origins, key_made
from routes.money import Usd, one_of
from routes.schemas import Name

_EndUser = Annotated[str, StringConstraints(min_length=1, max_length=MOST_END_USER, pattern=PRINTABLE)]


class MintKey(BaseModel):
    """A key for one end user's browser. Its calls count for `end_user`, whatever the page says.

    It may spend its budget in all, call `models`, and be used by pages of `origins`, as browsers send them.
    `scopes` are of those that call models: all that the minting key has, where nothing is said.
    """

    model_config = ConfigDict(extra="forbid")
    name: Name = "Browser key"
    end_user: _EndUser
    minutes: Annotated[int, Field(ge=1, le=LONGEST_MINUTES, strict=True)]
    budget_nano_usd: Annotated[int, Field(ge=1, le=MOST_AMOUNT, strict=True)] | None = None
    budget_usd: Annotated[Usd, Field(ge=1)] | None = None
    models: Models
    origins: Origins
    ip_ranges: IpRanges | None = None
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=len(INFERENCE_SCOPES))] | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> MintKey:
        one_of(self.budget_nano_usd, self.budget_usd, "the budget")
        return self


class ReportLeak(BaseModel):
    """A key that somebody has found."""

    model_config = ConfigDict(extra="forbid")
    key: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


async def mint_key(call: Call[MintKey, NoQuery]) -> Item[KeyWithSecret]:
    """Make a browser's key."""
    body = call.body
    wanted = Wanted(
        name=body.name,
        end_user=body.end_user,
        minutes=body.minutes,
        budget_nano_usd=one_of(body.budget_nano_usd, body.budget_usd, "the budget"),
        models=frozenset(body.models),
        origins=frozenset(body.origins),
        ip_ranges=None if body.ip_ranges is None else frozenset(body.ip_ranges),
        scopes=None if body.scopes is None else frozenset(body.scopes),
    )
    return key_made(*await browser_keys.mint(call.parts, call.principal, wanted))


async def report_leak(call: Call[ReportLeak, NoQuery]) -> None:
    """Revoke a key that has leaked."""
    await leaks.report(call.parts, call.body.key, call.context)


ROUTES = [
    make(
        "/api/v1/keys/actions/mint",
        Permission.KEYS_MINT,
        mint_key,
        "Mint an API key for a browser",
        "The answer's `data.secret` is the key. It ends after `minutes`, and can't be changed or rotated."
        f" Its budget is one of `/api/v1/budgets`. An organisation has at most {MOST_MINTED} such keys at a time.",
    ),
    act(
        "/api/v1/keys/actions/report_leak",
        None,
        report_leak,
        "Report a leaked API key",
        "Anybody who holds a key may. It is revoked at once, with all that was made or minted with it, and"
        " its organisation finds that in its audit log. Nobody is told whether there was such a key.",
        errors=(429,),
    ),
]
