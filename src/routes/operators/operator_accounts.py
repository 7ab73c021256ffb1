"""`/api/v1/operator/orgs` and `…/users`: all organisations and people, for whoever runs this deployment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.periods import Day, days
from lib.kernel.errors import NotFound
from lib.kernel.ids import is_id
from lib.kernel.text import PRINTABLE
from lib.ledger import usage_report
from lib.ledger.usage_report import UsageFilter
from lib.sign_in import suspension, suspension_store
from lib.sign_in.suspension_store import OperatorsOrg
from lib.web.app import App
from lib.web.operation import Call, Listing, Plain
from lib.web.route import act, read
from routes.api.usage_schemas import ReportQuery, UsageLine, sums_of
from routes.money import InDollars

ORGS, PEOPLE = "/api/v1/operator/orgs", "/api/v1/operator/users"
_Find = Annotated[str, StringConstraints(max_length=200, pattern=PRINTABLE)]


class PeopleQuery(PageQuery):
    """Whom: `find` is a part of the address or the name, or an id. All where nothing is said."""

    find: _Find = ""


class OrgsQuery(PageQuery):
    """Which: `find` is a part of the name, or an id. What was used is summed from `from` to `to`, the last 30 days."""

    find: _Find = ""
    start: Annotated[Day | None, Field(alias="from", description="First day, YYYY-MM-DD, UTC")] = None
    to: Annotated[Day | None, Field(description="Last day, YYYY-MM-DD, UTC")] = None


class OrgSeen(BaseModel):
    """An organisation. `suspended_at` is null where it is not. Money is nano-dollars (10⁻⁹ USD)."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    suspended_at: datetime | None
    created_at: datetime


class OrgWithSpend(OrgSeen, InDollars):
    """An organisation, and what it has used in the days that were asked for."""

    requests: int
    cost_nano_usd: int


class PersonSeen(BaseModel):
    """A person. `suspended_at` is null where it is not."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    email: str
    name: str
    suspended_at: datetime | None
    created_at: datetime


async def list_all_orgs(call: Call[None, OrgsQuery]) -> Listing[OrgWithSpend]:
    """List organisations with what they have used."""
    query = call.query
    [after] = decode_cursor(query.cursor, [""])
    start, end = days(query.start, query.to, call.parts.clock.now().date())
    rows = await suspension_store.orgs(call.parts.database, query.find, after, query.limit + 1)
    shown, more = cut(rows, query.limit, lambda row: [row.id])
    wanted = UsageFilter(start, end)
    return Listing([await _with_spend(call.parts, row, wanted) for row in shown], more)


async def list_all_people(call: Call[None, PeopleQuery]) -> Listing[PersonSeen]:
    """List people."""
    query = call.query
    [after] = decode_cursor(query.cursor, [""])
    rows = await suspension_store.people(call.parts.database, query.find, after, query.limit + 1)
    shown, more = cut(rows, query.limit, lambda row: [row.id])
    return Listing([PersonSeen.model_validate(row) for row in shown], more)


async def report_org(call: Call[None, ReportQuery]) -> Listing[UsageLine]:
    """Sum what one organisation has used."""
    org = await suspension.get_org(call.parts, call.path["id"])
    return await sums_of(call.parts, org.id, call.query)


async def suspend_org(call: Plain) -> OrgSeen:
    """Suspend an organisation."""
    return OrgSeen.model_validate(await suspension.set_org(call.parts, call.path["id"], suspended=True))


async def reinstate_org(call: Plain) -> OrgSeen:
    """Take that back."""
    return OrgSeen.model_validate(await suspension.set_org(call.parts, call.path["id"], suspended=False))


async def suspend_person(call: Plain) -> PersonSeen:
    """Suspend a person."""
    return PersonSeen.model_validate(await suspension.set_person(call.parts, _id(call), suspended=True))


async def reinstate_person(call: Plain) -> PersonSeen:
    """Take that back."""
    return PersonSeen.model_validate(await suspension.set_person(call.parts, _id(call), suspended=False))


def _id(call: Plain) -> str:
    if not is_id(call.path["id"]):
        raise NotFound("There is no such person.")
    return call.path["id"]


async def _with_spend(parts: App, row: OperatorsOrg, wanted: UsageFilter) -> OrgWithSpend:
    found = await usage_report.report(parts.database, row.id, wanted, [], None, 1)
    requests, cost = (found[0].requests, found[0].cost_nano_usd) if found else (0, 0)
    return OrgWithSpend(**OrgSeen.model_validate(row).model_dump(), requests=requests, cost_nano_usd=cost)


_SUSPENDED = "From the answer on every call is refused: 403 `{}_suspended`. It can be taken back. Twice is harmless."

ROUTES = [
    read(
        ORGS,
        None,
        list_all_orgs,
        "List organisations, and what they spend",
        "What has come to the store is summed: a call that has just ended follows within seconds.",
        operator=True,
    ),
    read(f"{ORGS}/{{id}}/usage", None, report_org, "Sum what one organisation has used", operator=True),
    act(
        f"{ORGS}/{{id}}/actions/suspend",
        None,
        suspend_org,
        "Suspend an organisation",
        _SUSPENDED.format("organisation"),
        operator=True,
    ),
    act(f"{ORGS}/{{id}}/actions/reinstate", None, reinstate_org, "Let an organisation call again", operator=True),
    read(PEOPLE, None, list_all_people, "List people", operator=True),
    act(
        f"{PEOPLE}/{{id}}/actions/suspend",
        None,
        suspend_person,
        "Suspend a person",
        f"{_SUSPENDED.format('account')} It can't sign in, and the keys that it holds are refused.",
        operator=True,
    ),
    act(f"{PEOPLE}/{{id}}/actions/reinstate", None, reinstate_person, "Let a person sign in again", operator=True),
]
