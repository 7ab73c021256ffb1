"""For whom a statement runs. Every statement names its scope, and both stores hold it to that.

PostgreSQL sets the scope for the transaction, and row level security shows no other rows (migrations/postgres). D1 has
nothing like it, so there a statement that could reach other rows is refused before it is sent (`tenancy.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Org:
    """The rows of one organisation."""

    id: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person's own rows: its account, sessions and tokens. To read, also where it is a member."""

    id: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person's own rows and one organisation's, together: to read who somebody is there. Not to write."""

    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Joining:
    """The rows of one organisation, and to read, where one person is a member: a person may belong to so many, and that
    is asked in the statement that makes it a member of one more.
    """

    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Presented:
    """The one row whose hash (of a key, session, token or login) or address somebody has presented, before it is known
    whose it is. To read, not to write.
    """

    key_hash: str


@dataclass(frozen=True, slots=True)
class EveryOrg:
    """One table across all organisations: for jobs such as the daily clean-up. To read and to delete; keys that belong
    to the deployment are also made so.
    """

    table: str


Tenant = Org | Person | Member | Joining | Presented | EveryOrg
