"""Organisations and people as a deployment's operator sees them, in the store: to list, find and suspend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.tenant import EveryOrg, Org, Person


@dataclass(frozen=True, slots=True)
class OperatorsOrg:
    """An organisation, without what is its own."""

    id: str
    name: str
    suspended_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OperatorsPerson:
    """A person, likewise."""

    id: str
    email: str
    name: str
    suspended_at: datetime | None
    deleted_at: datetime | None
    created_at: datetime


_ORG, _PERSON = columns(OperatorsOrg), columns(OperatorsPerson)


async def orgs(database: Database, find: str, after: str, most: int) -> list[OperatorsOrg]:
    """Return organisations with an id behind `after` whose name or id has `find` in it, in the order of their ids."""
    sql = f"SELECT {_ORG} FROM orgs WHERE id > ?1 AND ({_has('name')} OR id = ?3) ORDER BY id LIMIT ?4"
    return await database.query(EveryOrg("orgs"), OperatorsOrg, sql, after, find.lower(), find, most)


async def people(database: Database, find: str, after: str, most: int) -> list[OperatorsPerson]:
    """Return people that are not deleted, by address, name or id, likewise."""
    sql = (
        f"SELECT {_PERSON} FROM users WHERE id > ?1 AND deleted_at IS NULL"
        f" AND ({_has('email')} OR {_has('name')} OR id = ?3) ORDER BY id LIMIT ?4"
    )
    return await database.query(EveryOrg("users"), OperatorsPerson, sql, after, find.lower(), find, most)


async def get_org(database: Database, org_id: str) -> OperatorsOrg | None:
    """Return one organisation, or None."""
    return await database.one(Org(org_id), OperatorsOrg, f"SELECT {_ORG} FROM orgs WHERE id = ?", org_id)


async def get_person(database: Database, user_id: str) -> OperatorsPerson | None:
    """Return one person, a deleted one too, or None."""
    return await database.one(Person(user_id), OperatorsPerson, f"SELECT {_PERSON} FROM users WHERE id = ?", user_id)


def org_is(org_id: str, *, suspended: bool) -> Statement:
    """Return what finds an organisation that is suspended, or one that is not."""
    return Statement(f"SELECT 1 FROM orgs WHERE id = ? AND suspended_at IS {_null(suspended)}", (org_id,))


def person_is(user_id: str, *, suspended: bool) -> Statement:
    """Return what finds a person that is suspended, or one that is not."""
    return Statement(f"SELECT 1 FROM users WHERE id = ? AND suspended_at IS {_null(suspended)}", (user_id,))


def set_org(org_id: str, at: datetime | None, now: datetime) -> Statement:
    """Return the statement that suspends an organisation, or with None takes that back."""
    sql = (
        "UPDATE orgs SET suspended_at = ?1, version = version + 1, updated_at = ?2 WHERE id = ?3"
        f" AND suspended_at IS {_null(at is None)}"
    )
    return Statement(sql, (at, now, org_id))


def set_person(user_id: str, at: datetime | None, now: datetime) -> Statement:
    """Return the statement that suspends a person, or with None takes that back."""
    sql = (
        "UPDATE users SET suspended_at = ?1, version = version + 1, updated_at = ?2 WHERE id = ?3"
        f" AND suspended_at IS {_null(at is None)}"
    )
    return Statement(sql, (at, now, user_id))


def set_keys_of_org(org_id: str, at: datetime | None) -> Statement:
    """Return the statement that has all keys of an organisation say that it is suspended, or is not."""
    return Statement("UPDATE api_keys SET org_suspended_at = ? WHERE org_id = ?", (at, org_id))


def set_keys_of_person(org_id: str, user_id: str, at: datetime | None) -> Statement:
    """Return the statement that has a person's keys in an organisation say that it is suspended, or is not."""
    return Statement(
        "UPDATE api_keys SET person_suspended_at = ? WHERE org_id = ? AND user_id = ?", (at, org_id, user_id)
    )


def _null(suspended: bool) -> str:
    return "NOT NULL" if suspended else "NULL"


def _has(column: str) -> str:
    """Return the condition that a column has the text `?2` somewhere, whatever case it has: all have an empty one.

    Not by LIKE: D1 takes patterns of 50 bytes at most, and an address may be longer.
    """
    return f"(?2 = '' OR replace(lower({column}), ?2, '') <> lower({column}))"
