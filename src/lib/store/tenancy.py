"""The wall between organisations on D1, which has no row level security: statements that could pass it are refused.

A statement is judged by its text, once, and what it binds is compared each time. It may pass when each table of an
organisation's rows is held to one organisation wherever it stands:

    SELECT, UPDATE, DELETE   by a condition `table.org_id = ?1` that can't be got around: one of those that AND joins in
                             WHERE, or in ON for the table joined there. Instead of the place there may be the column of
                             a table beside it that is held already: `ON model_prices.org_id = models.org_id`
    INSERT                   the column is listed, and its value is a place or such a column
    ON CONFLICT DO UPDATE    the column is one of the conflict's, or WHERE says `table.org_id = excluded.org_id`

Each such place must then be bound to the organisation of the scope. A person's own rows are held to the person in the
same way, and what somebody presents (a key, an address) to that. An organisation may read the people who are its
members, and a person the organisations where it is one: joined to a membership that is held. Where somebody joins an
organisation, a SELECT from its memberships alone may be held to the person instead. The rules are strict and not
complete: what they do not understand is refused, so a statement of ours may have to be written more plainly. Like row
level security they guard against our own mistakes; what comes from outside is bound, never part of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from lib.store.database import TenantViolation
from lib.store.schema import PERSON_COLUMNS, TENANT_COLUMNS
from lib.store.sql_text import Item, UnreadableSql, parse
from lib.store.tenancy_rules import Link, NotHeld, places, places_of_both
from lib.store.tenant import EveryOrg, Joining, Member, Org, Person, Tenant

# By what somebody presents, before it is known whose it is.
_PRESENTED = {
    "api_keys": "secret_hash",
    "invitations": "secret_hash",
    "logins": "secret_hash",
    "mail_tokens": "secret_hash",
    "refresh_tokens": "secret_hash",
    "sessions": "secret_hash",
    "users": "email",
}
# What may be read of others: who is a member here, and where somebody is one. PostgreSQL has a policy for each.
_MEMBERS = {"users": Link("id", "memberships", "user_id")}
_MEMBER_OF = {"orgs": Link("id", "memberships", "org_id")}
# What tells of a person where it belongs, when it joins one more: to read, and alone.
_MEMBERSHIPS = {"memberships": "user_id"}
# What a job may do across organisations, by table. PostgreSQL has a policy for each: see migrations/postgres.
_JOBS = {
    "api_keys": ("select",),
    "audit_events": ("select",),
    "idempotent_answers": ("select", "delete"),
    "mail_tokens": ("select", "delete"),
    "orgs": ("select",),
    "person_events": ("select",),
    "refresh_tokens": ("select", "delete"),
    "revoked_tokens": ("select", "delete"),
    "sessions": ("select", "delete"),
    "signing_keys": ("select", "insert", "delete"),
    "usage_marks": ("select",),
    "users": ("select",),
}
# Their rows are only ever added. On PostgreSQL the Worker has no right to do more.
_APPENDED = {"audit_events", "audit_links", "person_events", "person_links"}
# What such a job may read beside its table.
_BESIDE = {"audit_events": {"audit_links"}, "person_events": {"person_links"}}


def check_scope(scope: Tenant, sql: str, values: Sequence[object]) -> None:
    """Raise TenantViolation unless the statement keeps to its scope."""
    _check_appended(sql)
    if isinstance(scope, EveryOrg):
        _check_job(scope.table, sql)
        return
    if isinstance(scope, Member | Joining):
        in_org, own = _member_places(sql) if isinstance(scope, Member) else _joining_places(sql)
        _check_bound(in_org, scope.org_id, sql, values)
        _check_bound(own, scope.user_id, sql, values)
        return
    if isinstance(scope, Org):
        wanted, found = scope.id, _org_places(sql)
    elif isinstance(scope, Person):
        wanted, found = scope.id, _person_places(sql)
    else:
        wanted, found = scope.key_hash, _presented_places(sql)
    _check_bound(found, wanted, sql, values)


def _check_bound(found: frozenset[int], wanted: str, sql: str, values: Sequence[object]) -> None:
    for place in found:
        if not 1 <= place <= len(values) or values[place - 1] != wanted:
            raise TenantViolation(f"?{place} is not the scope's own: {sql}")


@cache
def _check_appended(sql: str) -> None:
    items = _parsed(sql)
    appends = items[:1] in (["select"], ["insert"]) and "conflict" not in items
    if not appends and not _APPENDED.isdisjoint([item for item in items[:3] if isinstance(item, str)]):
        raise TenantViolation(f"a row of a log is never changed: {sql}")


@cache
def _org_places(sql: str) -> frozenset[int]:
    """Return the places to which the organisation must be bound. Of people it may read who is a member."""
    items = _parsed(sql)
    _check_persons(items, sql)
    return _held(items, TENANT_COLUMNS, _MEMBERS, sql)


def _check_persons(items: Sequence[Item], sql: str) -> None:
    if _guarded(items) & PERSON_COLUMNS.keys() - TENANT_COLUMNS.keys() - _MEMBERS.keys():
        raise TenantViolation(f"a person's rows are no organisation's: {sql}")


@cache
def _person_places(sql: str) -> frozenset[int]:
    """Return the places to which the person must be bound. It may read where it is a member, and not write that."""
    items = _parsed(sql)
    named = _guarded(items)
    if not named <= PERSON_COLUMNS.keys() | _MEMBER_OF.keys() or ("memberships" in named and items[:1] != ["select"]):
        raise TenantViolation(f"an organisation's rows are no person's: {sql}")
    return _held(items, PERSON_COLUMNS, _MEMBER_OF, sql)


@cache
def _member_places(sql: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the places to which the organisation must be bound, and those of the person. Both hold a membership."""
    items = _parsed(sql)
    if items[:1] != ["select"]:
        raise TenantViolation(f"as a member one may read, and no more: {sql}")
    return _held(items, TENANT_COLUMNS, {}, sql), _held(items, PERSON_COLUMNS, {}, sql)


@cache
def _joining_places(sql: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the places to which the organisation must be bound, and those of the person whose memberships are read."""
    items = _parsed(sql)
    _check_persons(items, sql)
    try:
        return places_of_both(items, TENANT_COLUMNS, _MEMBERS, _MEMBERSHIPS)
    except NotHeld as reason:
        raise TenantViolation(f"{reason}: {sql}") from None


@cache
def _presented_places(sql: str) -> frozenset[int]:
    """Return the places to which what was presented must be bound."""
    items = _parsed(sql)
    if items[:1] != ["select"] or not _guarded(items) <= _PRESENTED.keys():
        raise TenantViolation(f"who presents a secret may read its row, and no more: {sql}")
    return _held(items, _PRESENTED, {}, sql)


def _held(items: Sequence[Item], columns: Mapping[str, str], links: Mapping[str, Link], sql: str) -> frozenset[int]:
    try:
        return places(items, columns, links)
    except NotHeld as reason:
        raise TenantViolation(f"{reason}: {sql}") from None


@cache
def _check_job(table: str, sql: str) -> None:
    items = _parsed(sql)
    allowed = _JOBS.get(table, ())
    if not items or items[0] not in allowed or not _guarded(items) <= {table} | _BESIDE.get(table, set()):
        raise TenantViolation(f"no job may do this to {table} over all organisations: {sql}")


def _parsed(sql: str) -> list[Item]:
    try:
        return parse(sql)
    except UnreadableSql as reason:
        raise TenantViolation(f"unreadable {reason}: {sql}") from None


def _guarded(items: Sequence[Item]) -> set[str]:
    """Return the tables with somebody's rows that a statement names."""
    return {word for word in _words(items) if word in TENANT_COLUMNS or word in PERSON_COLUMNS}


def _words(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        else:
            yield from _words(item)
