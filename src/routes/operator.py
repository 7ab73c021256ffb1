"""`/api/v1/operator`: what concerns all organisations, for whoever runs this deployment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lib.admission import ledger_check, ledger_sums
from lib.http import render
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import Route
from lib.services import Services
from routes.schemas import LedgerCheck, Page

DEFAULT_ORGS, MOST_ORGS = 5, 20


class ChecksQuery(PageQuery):
    """Fewer than in other lists: each of them is work."""

    limit: Annotated[int, Field(ge=1, le=MOST_ORGS)] = DEFAULT_ORGS


async def list_ledger_checks(services: Services, request: Validated[None, ChecksQuery], _caller: None) -> Response:
    """Compare the budgets' counters of all organisations with the ledger, in the order of their ids."""
    query = request.query
    [after] = decode_cursor(query.cursor, [""])
    orgs = await ledger_sums.organisations(services.database, after, query.limit + 1)
    shown, more = cut(orgs, query.limit, lambda org_id: [org_id])
    return render.page(
        [LedgerCheck.of(await ledger_check.check_organisation(services, org_id)) for org_id in shown], more
    )


ROUTES = [
    Route(
        method="GET",
        path="/api/v1/operator/ledger-checks",
        handler=list_ledger_checks,
        summary="Compare all organisations' budgets with the ledger",
        description="What `./headgate verify-ledger` asks, with a token that it makes from HEADGATE_SECRET.",
        responses={200: Page[LedgerCheck]},
        permission=None,
        operator=True,
        query=ChecksQuery,
    )
]
