"""After the store was put back to an earlier day: make it and an organisation's gate say the same again.

Of what may be done, the store wins: whoever restores it wants its keys, members and rules. Of what was spent, the gate
wins: money that has gone to a provider does not come back with a backup, and a budget must not be spent twice. So
counters stay, and the calls that the ledger has lost are written into it again as far as their gate remembers them: for
a day, with what they cost and whose budgets they count on, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lib.admission.counters import Remembered
from lib.events.event import Policy
from lib.events.work import tell_gates
from lib.ledger import archived, ledger_sums
from lib.ledger.day_sums import day_of
from lib.ledger.usage import NO_TOKENS, Cause
from lib.ledger.usage_record import UsageRecord
from lib.ledger.usage_store import deliver
from lib.reconcile import ledger_check, restored_store
from lib.reconcile.ledger_check import OrgCheck
from lib.reconcile.parts import Reconciling
from lib.store.dialect import time_text
from lib.store.schema import BudgetRow

PAGE_CALLS = 200
# What such a record has in place of what nobody knows any more.
RESTORED, UNKNOWN = "restored", "unknown"
_LEVELS = {"team": "team_id", "user": "user_id", "key": "key_id", "model": "model", "end_user": "end_user"}


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was written again, in records and nano-dollars, and how counters and ledger compare since."""

    records: int
    cost: int
    check: OrgCheck


async def reconcile(parts: Reconciling, org_id: str) -> Reconciled:
    """Have the gate read the rules anew, and the ledger hear of what it lacks. Doing it again changes nothing.

    Raises Unavailable and the store's errors.
    """
    await tell_gates(parts.gates, {org_id: Policy.ACCOUNTS | Policy.RULES})  # the store is another
    await parts.gates.flush(org_id)
    budgets = {row.id: row for row in await ledger_sums.budgets(parts.database, org_id)}
    records = cost = 0
    after: str | None = ""
    while after is not None:
        page = await parts.gates.remembered(org_id, after, PAGE_CALLS)
        after = page[-1].id if len(page) == PAGE_CALLS else None
        counted = [call for call in page if any(rule in budgets for rule, _ in call.places)]
        lost = await _lost(parts, org_id, counted)
        if lost:
            await _write(parts, org_id, lost, budgets)
        records, cost = records + len(lost), cost + sum(call.cost for call in lost)
    return Reconciled(records, cost, await ledger_check.check_organisation(parts, org_id))


async def _lost(parts: Reconciling, org_id: str, calls: Sequence[Remembered]) -> list[Remembered]:
    """Return the calls that the ledger does not know.

    A gate without calls forgets none: those that it remembers may have left the store.
    """
    known = await restored_store.known(parts.database, org_id, [call.id for call in calls]) if calls else set()
    lost = [call for call in calls if call.id not in known]
    if not lost:
        return []
    began = [datetime.fromtimestamp(call.since_ms / 1000, UTC) for call in lost]
    days = (day_of(min(began) - timedelta(days=1)), day_of(max(began)))  # one began before it was let in
    held = await archived.named(parts.database, parts.archive, org_id, days, {call.id for call in lost})
    return [call for call in lost if not any(call.id in one.records for one in held)]


async def _write(parts: Reconciling, org_id: str, lost: Sequence[Remembered], budgets: Mapping[str, BudgetRow]) -> None:
    """Write records, and before them keys for them that the store has lost too: revoked ones, for the ledger only."""
    now = parts.clock.now()
    whose = [_whose(call, budgets) for call in lost]
    missing = sorted({facts["key_id"] for facts in whose if "key_id" in facts})
    await restored_store.keep_keys(parts.database, org_id, missing, now)
    if any("key_id" not in facts for facts in whose):
        nobodys = await restored_store.nobodys_key(parts.database, org_id, now)
        whose = [{"key_id": nobodys, **facts} for facts in whose]
    texts = [_record(org_id, call, facts).to_json() for call, facts in zip(lost, whose, strict=True)]
    await deliver(parts.database, org_id, f"[{','.join(texts)}]", now)


def _whose(call: Remembered, budgets: Mapping[str, BudgetRow]) -> dict[str, str]:
    """Return what its budgets tell of a call: on each level of which there is one, who it was for."""
    facts = {}
    for rule, subject in call.places:
        row = budgets.get(rule)
        if row is not None and row.scope_type in _LEVELS:
            facts[_LEVELS[row.scope_type]] = subject
        if row is not None and row.scope_model is not None:
            facts["model"] = row.scope_model
    return facts


def _record(org_id: str, call: Remembered, facts: Mapping[str, str]) -> UsageRecord:
    began = datetime.fromtimestamp(call.since_ms / 1000, UTC)
    return UsageRecord(
        id=call.id,
        org_id=org_id,
        key_id=facts["key_id"],
        endpoint=RESTORED,
        model=facts.get("model", UNKNOWN),
        provider=UNKNOWN,
        upstream_model=UNKNOWN,
        streamed=False,
        cause=Cause.LOST.value,
        status=None,
        estimated=True,
        cost_nano_usd=call.cost,
        price_version=None,
        first_byte_ms=None,
        duration_ms=0,
        **NO_TOKENS,
        started_at=time_text(began),
        team_id=facts.get("team_id"),
        user_id=facts.get("user_id"),
        end_user=facts.get("end_user"),
    )
