"""`/api/v1/operator/orgs` and `…/users`: all organisations and people, for whoever runs this deployment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.periods import Day, days
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import NotFound
from lib.kernel.ids import is_id
from lib.kernel.text import PRINTABLE
from lib.ledger import usage_report
from lib.ledger.usage_report import UsageFilter
from lib.sign_in import suspension, suspension_store
from lib.sign_in.suspension_store import OperatorsOrg, OperatorsPerson
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act, read
from routes.api.usage_schemas import ReportQuery, UsageLine, sums_of
from routes.money import InDollars
from routes.schemas import One, Page

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

    id: str
    email: str
    name: str
    suspended_at: datetime | None
    created_at: datetime


async def list_all_orgs(parts: App, request: Validated[None, OrgsQuery], _caller: None) -> Response:
    """List organisations with what they have used."""
    query = request.query
    [after] = decode_cursor(query.cursor, [""])
    start, end = days(query.start, query.to, parts.clock.now().date())
    rows = await suspension_store.orgs(parts.database, query.find, after, query.limit + 1)
    shown, more = cut(rows, query.limit, lambda row: [row.id])
    wanted = UsageFilter(start, end)
    return render.page([await _with_spend(parts, row, wanted) for row in shown], more)


async def list_all_people(parts: App, request: Validated[None, PeopleQuery], _caller: None) -> Response:
    """List people."""
    query = request.query
    [after] = decode_cursor(query.cursor, [""])
    rows = await suspension_store.people(parts.database, query.find, after, query.limit + 1)
    shown, more = cut(rows, query.limit, lambda row: [row.id])
    return render.page([_person(row) for row in shown], more)


async def report_org(parts: App, request: Validated[None, ReportQuery], _caller: None) -> Response:
    """Sum what one organisation has used."""
    org = await suspension.get_org(parts, request.path["id"])
    return await sums_of(parts, org.id, request.query)


async def suspend_org(parts: App, request: Validated[None, NoQuery], _caller: None) -> Response:
    """Suspend an organisation."""
    return render.data(_org(await suspension.set_org(parts, request.path["id"], suspended=True)))


async def reinstate_org(parts: App, request: Validated[None, NoQuery], _caller: None) -> Response:
    """Take that back."""
    return render.data(_org(await suspension.set_org(parts, request.path["id"], suspended=False)))


async def suspend_person(parts: App, request: Validated[None, NoQuery], _caller: None) -> Response:
    """Suspend a person."""
    return render.data(_person(await suspension.set_person(parts, _id(request), suspended=True)))


async def reinstate_person(parts: App, request: Validated[None, NoQuery], _caller: None) -> Response:
    """Take that back."""
    return render.data(_person(await suspension.set_person(parts, _id(request), suspended=False)))


def _id(request: Validated[None, NoQuery]) -> str:
    if not is_id(request.path["id"]):
        raise NotFound("There is no such person.")
    return request.path["id"]


async def _with_spend(parts: App, row: OperatorsOrg, wanted: UsageFilter) -> OrgWithSpend:
    found = await usage_report.report(parts.database, row.id, wanted, [], None, 1)
    requests, cost = (found[0].requests, found[0].cost_nano_usd) if found else (0, 0)
    return OrgWithSpend(**_org(row).model_dump(), requests=requests, cost_nano_usd=cost)


def _org(row: OperatorsOrg) -> OrgSeen:
    return OrgSeen(id=row.id, name=row.name, suspended_at=row.suspended_at, created_at=row.created_at)


def _person(row: OperatorsPerson) -> PersonSeen:
    return PersonSeen(
        id=row.id, email=row.email, name=row.name, suspended_at=row.suspended_at, created_at=row.created_at
    )


_SUSPENDED = "From the answer on every call is refused: 403 `{}_suspended`. It can be taken back. Twice is harmless."

ROUTES = [
    read(
        ORGS,
        None,
        list_all_orgs,
        Page[OrgWithSpend],
        "List organisations, and what they spend",
        "What has come to the store is summed: a call that has just ended follows within seconds.",
        operator=True,
    ),
    read(
        f"{ORGS}/{{id}}/usage", None, report_org, Page[UsageLine], "Sum what one organisation has used", operator=True
    ),
    act(
        f"{ORGS}/{{id}}/actions/suspend",
        None,
        suspend_org,
        One[OrgSeen],
        "Suspend an organisation",
        _SUSPENDED.format("organisation"),
        operator=True,
    ),
    act(
        f"{ORGS}/{{id}}/actions/reinstate",
        None,
        reinstate_org,
        One[OrgSeen],
        "Let an organisation call again",
        operator=True,
    ),
    read(PEOPLE, None, list_all_people, Page[PersonSeen], "List people", operator=True),
    act(
        f"{PEOPLE}/{{id}}/actions/suspend",
        None,
        suspend_person,
        One[PersonSeen],
        "Suspend a person",
        f"{_SUSPENDED.format('account')} It can't sign in, and the keys that it holds are refused.",
        operator=True,
    ),
    act(
        f"{PEOPLE}/{{id}}/actions/reinstate",
        None,
        reinstate_person,
        One[PersonSeen],
        "Let a person sign in again",
        operator=True,
    ),
]
