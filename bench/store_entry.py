"""Headgate's entry with one route more, which reads a row as often as it is told. No deploy has it.

The route goes through the real pipeline, and needs no key, since looking for that would be a read of its own.
"""

from __future__ import annotations

from pydantic import BaseModel

from lib.http.request import Validated
from lib.http.response import Response
from lib.store.rows import columns
from lib.store.schema import OrgRow
from lib.store.tenant import Org
from lib.web import render
from lib.web.app import App
from lib.web.operation import NoQuery
from lib.web.route import Route
from routes import ROUTES

_SQL = f"SELECT {columns(OrgRow)} FROM orgs WHERE id = ?"


class Read(BaseModel):
    """What the last of the reads found."""

    name: str


async def read(parts: App, request: Validated[None, NoQuery], _caller: None) -> Response:
    """Read one organisation by its key, one read after another. Raises when it is not there."""
    org_id = request.path["org_id"]
    found: OrgRow | None = None
    for _ in range(int(request.path["reads"])):
        found = await parts.database.one(Org(org_id), OrgRow, _SQL, org_id)
    if found is None:
        raise LookupError(f"no organisation {org_id}")
    return render.bare(Read(name=found.name))


ROUTES.append(
    Route(
        method="GET",
        path="/bench/orgs/{org_id}/{reads}",
        handler=read,
        summary="Read one row, so many times",
        responses={200: Read},
        permission=None,
    )
)

from entry import Default, Gate, Guard  # noqa: E402 - it makes the router from what ROUTES then holds

__all__ = ["Default", "Gate", "Guard"]
