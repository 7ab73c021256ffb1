"""The end of a soak with LEDGER_RECORDS=archive: days pass, all records move to R2, and the ledger shows the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from lib.kernel.ids import new_id
from tools.soak_calls import Json
from tools.stack import Stack
from tools.state import Store

DAYS = 5
_KEPT = len("01234567-0123")  # of an id: when it was made; the rest is by chance
_EARLIER = {
    "d1": f"strftime('%Y-%m-%dT%H:%M:%f000Z', started_at, '-{DAYS} days')",
    "postgres": f"started_at - interval '{DAYS} days'",
}


def let_days_pass(stack: Stack, store: Store) -> int:
    """Have all records begin some days earlier, and the hourly work be done; return how many are left in the store."""
    made, target = new_id(datetime.now(UTC) - timedelta(days=DAYS))[:_KEPT], stack.target()
    long_ago = "1970-01-02T00:00:00.000000Z"
    target.execute(
        f"UPDATE usage_records SET started_at = {_EARLIER[store]}, id = '{made}' || substr(id, {_KEPT + 1});"
        f" UPDATE usage_marks SET unsummed_at = '{long_ago}', oldest_at = '{long_ago}';"
    )
    stack.run_daily_work()
    return int(str(target.rows("SELECT count(*) AS rows FROM usage_records")[0]["rows"]))


def differing(before: Mapping[str, Json], after: Mapping[str, Json]) -> int:
    """Return how many records are missing, too many, or other ones."""
    first, second = _by_chance(before), _by_chance(after)
    return sum(first.get(name) != second.get(name) for name in first.keys() | second.keys())


def _by_chance(records: Mapping[str, Json]) -> dict[str, Json]:
    """Return them by that part of their ids that stays, without what was changed."""
    return {name[_KEPT:]: {**record, "id": None, "started_at": None} for name, record in records.items()}
