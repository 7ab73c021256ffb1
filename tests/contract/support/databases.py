"""Databases of a test's own, on the real engines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tools.postgres import Postgres
from tools.postgres_client import connected

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class FreshDatabase:
    """An empty PostgreSQL database, and the address of it for each role."""

    owner_url: str
    worker_url: str
    superuser_url: str


@contextmanager
def fresh_database(postgres: Postgres) -> Iterator[FreshDatabase]:
    """Make a database that the owner role owns, and drop it at the end."""
    name = f"test_{next(_NUMBERS)}"
    as_superuser(postgres.superuser_url, f"CREATE DATABASE {name} OWNER headgate_owner")
    urls = (postgres.owner_url, postgres.worker_url, postgres.superuser_url)
    try:
        yield FreshDatabase(*(url.rpartition("/")[0] + f"/{name}" for url in urls))
    finally:
        as_superuser(postgres.superuser_url, f"DROP DATABASE {name} WITH (FORCE)")


def as_superuser(url: str, sql: str) -> None:
    with connected(url) as client:
        client.run(sql)


def query(url: str, sql: str) -> list[dict[str, Any]]:
    with connected(url) as client:
        return client.rows(sql)
