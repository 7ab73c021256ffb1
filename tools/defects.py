"""What a log must never say, whatever clients, providers and the platform do."""

from __future__ import annotations

from tools.production.rules import RESET

DEFECTS = (
    *("internal_error", "runtime_unknown", "settlement_broke", "ledger_refused", "usage_record_rejected"),
    *("Uncaught", "Traceback"),
)
# What workerd says when it ends the request of a client that has left (docs/streaming.md): a call that hangs for one
# who waits is found by that client. And of an object's own work, when production's rules have the object thrown away.
_NO_DEFECTS = ("had hung and would never generate a response", f"Uncaught Error: {RESET}")


def defects(log: str) -> dict[str, list[str]]:
    """Return the lines of a log that tell of defects of ours, by what they say."""
    lines = [line for line in log.splitlines() if not any(text in line for text in _NO_DEFECTS)]
    met = {sign: [line for line in lines if sign in line] for sign in DEFECTS}
    return {sign: of_it for sign, of_it in met.items() if of_it}
