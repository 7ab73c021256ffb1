"""How an event is stored in its owner's log: its number, its seal, what never stands there, and how long it may be.

A row is written in the group of its change. The statement takes the next number of the owner itself, so no number is
left out, and who writes need read nothing before. The seal is HMAC-SHA-256 over the row's id and all that it says,
under a key derived from HEADGATE_SECRET: nobody else can make a row or change one. What holds a row to its place is the
link that follows: `lib.audit.link_store`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lib.events.event import Detail, Event, Plain
from lib.http.context import Context
from lib.kernel.ids import new_id
from lib.secrets.api_keys import derive
from lib.store.database import Statement, Value
from lib.store.dialect import time_text
from lib.store.tenant import Org, Person

MOST_DETAILS = 16
MOST_FIELDS = 20  # of what was changed
MOST_DETAIL = 200  # characters
SHORTER = (MOST_DETAIL, 60, 20)  # where all together are more than MOST_TEXT
MOST_TEXT = 4_000
# Our own secrets all look like this: keys, tokens, what is sent by mail.
_SECRET = re.compile(r"hg[a-z]?_[0-9A-Za-z]{20,}")
_HIDDEN = "[secret]"
_FORBIDDEN_NAMES = ("password", "secret", "token", "code", "cookie")
# What `previous_hash` says of a row whose `hash` is its seal. Releases before 0015 wrote the hash of the row before
# there, and into `hash` that of the row as a link of its chain.
SEALED = "-" * 64


class Log(StrEnum):
    """Which log a row is of; the value is its table."""

    ORG = "audit_events"
    PERSON = "person_events"

    @property
    def links(self) -> str:
        """Return the table of the links of this log's chains."""
        return "audit_links" if self is Log.ORG else "person_links"

    @property
    def owner_column(self) -> str:
        """Return the column that names whose row it is, in both tables."""
        return "org_id" if self is Log.ORG else "user_id"

    @property
    def owners(self) -> str:
        """Return the table of those whose rows these are."""
        return "orgs" if self is Log.ORG else "users"

    @property
    def birth(self) -> str:
        """Return the action of each log's first row: it is written with its owner."""
        return "org.created" if self is Log.ORG else "user.signed_up"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one row says, but for its place. `owner` is the organisation or the person; `details` is JSON text."""

    log: Log
    owner: str
    id: str
    action: str
    actor: str
    target: str | None
    result: str
    address: str | None
    request_id: str | None
    details: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Statement):
    """The statement that writes an event, in the group of its change. `told`: the gates know of it."""

    owner: Org | Person
    id: str
    action: str
    told: bool = False


def log_key(secret: str) -> bytes:
    """Return the key of the logs. `secret` is HEADGATE_SECRET."""
    return derive(secret, "audit-chain")


def log_of(owner: Org | Person) -> Log:
    """Return the log in which somebody's events stand."""
    return Log.ORG if isinstance(owner, Org) else Log.PERSON


def entry_of(event: Event, actor: str, context: Context, now: datetime) -> Entry:
    """Return what the row of an event says."""
    return Entry(
        log=log_of(event.owner),
        owner=event.owner.id,
        id=new_id(now),
        action=event.name,
        actor=actor,
        target=_cut(event.target, 300),
        result=event.result,
        address=context.address,
        request_id=context.request_id,
        details=details_text(event.details),
        at=now,
    )


def noted(
    key: bytes, event: Event, actor: str, context: Context, now: datetime, only_if: Statement | None = None
) -> Noted:
    """Return the statement that writes an event, where `only_if` finds a row: a SELECT with places without numbers."""
    entry = entry_of(event, actor, context, now)
    log, column, row = entry.log, entry.log.owner_column, row_of(key, entry)
    sql = (
        f"INSERT INTO {log} ({column}, seq, {', '.join(row)})"
        f" SELECT ?, coalesce((SELECT max(seq) FROM {log} WHERE {column} = ?), 0) + 1{', ?' * len(row)}"
    )
    values = (entry.owner, entry.owner, *row.values())
    if only_if is not None:
        sql, values = f"{sql} WHERE EXISTS ({only_if.sql})", values + only_if.values
    return Noted(sql, values, owner=event.owner, id=entry.id, action=entry.action)


def row_of(key: bytes, entry: Entry) -> dict[str, Value]:
    """Return a row as it is stored, by column, but for its owner and its number."""
    return {
        "id": entry.id,
        "action": entry.action,
        "actor": entry.actor,
        "target": entry.target,
        "result": entry.result,
        "address": entry.address,
        "request_id": entry.request_id,
        "details": entry.details,
        "previous_hash": SEALED,
        "hash": seal(key, entry),
        "created_at": entry.at,
        "updated_at": entry.at,
    }


def seal(key: bytes, entry: Entry) -> str:
    """Return the keyed hash of an entry."""
    return keyed_hash(key, "seal", *said(entry))


def said(entry: Entry) -> list[str | None]:
    """Return all that a row says, in the order in which hashes are made of it."""
    return [
        entry.log, entry.owner, entry.id, entry.action, entry.actor, entry.target, entry.result, entry.address,
        entry.request_id, entry.details, time_text(entry.at),
    ]  # fmt: skip


def keyed_hash(key: bytes, *parts: str | int | None) -> str:
    """Return HMAC-SHA-256, in hexadecimal. JSON keeps apart what stands side by side: no two lists give one text."""
    return hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def details_text(details: Mapping[str, Detail]) -> str:
    """Return details as they are stored. What looks like a secret of ours is hidden, what is long is cut.

    Raises ValueError for a name that says that its value is a secret: a defect of ours.
    """
    for name in details:
        if name.lower().rpartition("_")[2] in _FORBIDDEN_NAMES:
            raise ValueError(f"{name} does not belong into the audit log")
    listed = list(details.items())[:MOST_DETAILS]
    for most in SHORTER:
        shown = {name[:64]: _shown(value, most) for name, value in listed}
        text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= MOST_TEXT:
            return text
    return '{"too_long":true}'


def _shown(value: Detail, most: int) -> Detail:
    if isinstance(value, Mapping):
        listed = list(value.items())[:MOST_FIELDS]
        return {name: {side: _plain(one, most) for side, one in each.items()} for name, each in listed}
    return _plain(value, most)


def _plain(value: Plain, most: int) -> Plain:
    return _SECRET.sub(_HIDDEN, value)[:most] if isinstance(value, str) else value


def _cut(text: str | None, most: int) -> str | None:
    return _SECRET.sub(_HIDDEN, text)[:most] if text else None
