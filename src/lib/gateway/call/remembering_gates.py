"""The gates behind what is remembered of their refusals: see `denials.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from lib.admission.decision import Ask
from lib.gateway.call.admitting import Admitted, RequestsRefused
from lib.gateway.call.asking import callers_path
from lib.gateway.call.denials import Denials
from lib.gateway.call.settlement import Gates
from lib.gateway.callers.caller import Caller
from lib.ledger.usage_record import UsageRecord


class RememberingGates:
    """Implements `lib.gateway.call.settlement.Gates`: whom a denial concerns is refused without asking its gate."""

    def __init__(self, gates: Gates, denials: Denials) -> None:
        self._gates = gates
        self._denials = denials
        self.confirm, self.leave, self.delivered = gates.confirm, gates.leave, gates.delivered

    async def open(self, account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        principal = account.principal
        if self._denials.any_of(principal.org_id):
            path = callers_path(principal, record.model, record.end_user)
            self._denials.check(account, path, _began_ms(record))
        try:
            return await self._gates.open(account, record, deadline, ask)
        except RequestsRefused as refused:
            self._denials.remember(account, refused, _began_ms(record))
            raise


def _began_ms(record: UsageRecord) -> int:
    """Return since when a denial counts: before its gate was asked, so it never lasts longer than the gate's own."""
    return int(datetime.fromisoformat(record.started_at).timestamp() * 1000)
