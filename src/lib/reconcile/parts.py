"""What is needed to hold the ledger against the gates."""

from __future__ import annotations

from typing import Protocol

from lib.admission.org_gates import OrgGates
from lib.events.parts import Parts
from lib.ledger.archive import Archive


class Reconciling(Parts, Protocol):
    """`gates` know what was counted; `archive` has the older records, where there is one."""

    @property
    def gates(self) -> OrgGates: ...

    @property
    def archive(self) -> Archive | None: ...
