"""Who is connected to a PostgreSQL database, as the server counts it."""

from __future__ import annotations

import time

from tests.contract.support.databases import FreshDatabase, query

WORKER = "headgate_worker"


def sessions(database: FreshDatabase, state: str = "%") -> int:
    """The Worker's connections to this database, of a state such as `active`."""
    [row] = query(
        database.superuser_url,
        "SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database()"
        f" AND usename = '{WORKER}' AND state LIKE '{state}'",
    )
    return int(row["number"])


def wait_until_gone(database: FreshDatabase, seconds: float) -> int:
    """Wait until none is left, at most so long; return how many are."""
    deadline = time.monotonic() + seconds
    while (left := sessions(database)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def wait_until_active(database: FreshDatabase, count: int, seconds: float = 10) -> None:
    """Wait until so many run a statement."""
    deadline = time.monotonic() + seconds
    while sessions(database, "active") < count:
        assert time.monotonic() < deadline, f"there are not {count} statements running"
        time.sleep(0.02)
