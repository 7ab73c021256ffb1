"""`/api/v1/operator`: what concerns all organisations, for whoever runs this deployment."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lib.http.paging import PageQuery, cut, decode_cursor
from lib.ledger import ledger_sums
from lib.reconcile import ledger_check, reconciliation
from lib.sign_in import ended_by_operator
from lib.web.operation import Call, Listing, NoQuery
from lib.web.route import act, read
from routes.schemas import Email, LedgerCheck

DEFAULT_ORGS, MOST_ORGS = 5, 20


class ChecksQuery(PageQuery):
    """Fewer than in other lists: each of them is work."""

    limit: Annotated[int, Field(ge=1, le=MOST_ORGS)] = DEFAULT_ORGS


async def list_ledger_checks(call: Call[None, ChecksQuery]) -> Listing[LedgerCheck]:
    """Compare the budgets' counters of all organisations with the ledger, in the order of their ids."""
    query = call.query
    call.request.share.claim(ledger_check.HELD_BYTES)
    [after] = decode_cursor(query.cursor, [""])
    orgs = await ledger_sums.organisations(call.parts.database, after, query.limit + 1)
    shown, more = cut(orgs, query.limit, lambda org_id: [org_id])
    checks = [LedgerCheck.of(await ledger_check.check_organisation(call.parts, org_id)) for org_id in shown]
    return Listing(checks, more)


class Reconciled(LedgerCheck):
    """An organisation whose gate has read the rules anew; what the ledger was told again, and how they compare."""

    restored_records: int
    restored_nano_usd: int


async def reconcile(call: Call[None, ChecksQuery]) -> Listing[Reconciled]:
    """Make the gates and the store say the same, some organisations at a time, in the order of their ids."""
    query = call.query
    call.request.share.claim(ledger_check.HELD_BYTES)
    [after] = decode_cursor(query.cursor, [""])
    orgs = await ledger_sums.organisations(call.parts.database, after, query.limit + 1)
    shown, more = cut(orgs, query.limit, lambda org_id: [org_id])
    done = [await reconciliation.reconcile(call.parts, org_id) for org_id in shown]
    return Listing(
        [
            Reconciled(**dict(LedgerCheck.of(one.check)), restored_records=one.records, restored_nano_usd=one.cost)
            for one in done
        ],
        more,
    )


class EndSessions(BaseModel):
    """Whose. The address is the one that the person signs in with."""

    model_config = ConfigDict(extra="forbid")
    email: Email


class Ended(BaseModel):
    """Somebody whose sessions have ended, and the tokens of its apps."""

    user_id: str


async def end_sessions(call: Call[EndSessions, NoQuery]) -> Ended:
    """End all that one person has signed in with."""
    user_id = await ended_by_operator.end_of_person(call.parts, call.body.email)
    return Ended(user_id=user_id)


async def end_all_sessions(call: Call[None, PageQuery]) -> Listing[Ended]:
    """End all that all people have signed in with, some at a time."""
    [after] = decode_cursor(call.query.cursor, [""])
    limit = call.query.limit
    ids = await ended_by_operator.end_of_everyone(call.parts, after, limit)
    shown, more = cut(ids, limit, lambda user_id: [user_id])
    return Listing([Ended(user_id=user_id) for user_id in shown], more)


ROUTES = [
    read(
        "/api/v1/operator/ledger-checks",
        None,
        list_ledger_checks,
        "Compare all organisations' budgets with the ledger",
        "What `./headgate verify-ledger` asks, with a token that it makes from HEADGATE_SECRET.",
        operator=True,
    ),
    act(
        "/api/v1/operator/gates/actions/reconcile",
        None,
        reconcile,
        "Make the gates and a restored store say the same",
        "What `./headgate reconcile` asks, some organisations at a time: ask again with `cursor` set to"
        " `meta.next_cursor` until that is null. The store's rules hold; counters stay; calls that the ledger has lost"
        " are written into it again as far as their gate remembers them. Doing it again changes nothing.",
        operator=True,
    ),
    act(
        "/api/v1/operator/users/actions/end_sessions",
        None,
        end_sessions,
        "Sign a person out everywhere",
        "Ends all its sessions and all its apps' tokens, at once. It can sign in again.",
        errors=(404,),
        operator=True,
    ),
    act(
        "/api/v1/operator/users/actions/end_all_sessions",
        None,
        end_all_sessions,
        "Sign everybody out everywhere",
        "Some people at a time: ask again with `cursor` set to `meta.next_cursor` until that is null.",
        operator=True,
    ),
]
