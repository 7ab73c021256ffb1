"""What is noted in the audit log. `org_event` and `person_event` return statements for the group that makes the change.

    await services.database.batch(Org(org_id), [*change, *org_event(org_id, "key.revoked", …)])

Whether the change happens may be up to a condition in it, as `WHERE version = ?`. The event must then have the same
one: it goes before the change, and `only_if` finds a row exactly when the change will be made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from lib.audit.chain import Entry, Log
from lib.kernel.event import OK, Detail, Event, EventStatement, Plain, noted
from lib.store.database import Statement
from lib.store.scope import Org, Person

if TYPE_CHECKING:
    from lib.identity.context import Context

MOST_DETAILS = 16
MOST_FIELDS = 20  # of what was changed
MOST_DETAIL = 200  # characters
SHORTER = (MOST_DETAIL, 60, 20)  # where all together are more than MOST_TEXT
MOST_TEXT = 4_000
# Our own secrets all look like this: keys, tokens, what is sent by mail.
_SECRET = re.compile(r"hg[a-z]?_[0-9A-Za-z]{20,}")
_HIDDEN = "[secret]"
_FORBIDDEN_NAMES = ("password", "secret", "token", "code", "cookie")


def org_event(
    org_id: str,
    action: str,
    actor: str,
    context: Context,
    now: datetime,
    *,
    target: str | None = None,
    result: str = OK,
    details: Mapping[str, Detail] | None = None,
    only_if: Statement | None = None,
) -> list[Statement]:
    """Note what was done in an organisation. `actor` is `key:<id>`, `user:<id>`, `operator`, `system` or `nobody`."""
    return [noted(Event(action, Org(org_id), target, details or {}, result), actor, context, now, only_if)]


def person_event(
    user_id: str,
    action: str,
    context: Context,
    now: datetime,
    *,
    actor: str | None = None,
    target: str | None = None,
    result: str = OK,
    details: Mapping[str, Detail] | None = None,
    only_if: Statement | None = None,
) -> list[Statement]:
    """Note what a person has done, or what was tried in its name. Without an `actor`, the person is it."""
    event = Event(action, Person(user_id), target, details or {}, result)
    return [noted(event, actor or f"user:{user_id}", context, now, only_if)]


def log_of(owner: Org | Person) -> Log:
    """Return the log in which somebody's events stand."""
    return Log.ORG if isinstance(owner, Org) else Log.PERSON


def entry_of(statement: EventStatement) -> Entry:
    """Return an event as it is stored, but for its place."""
    event, context = statement.event, statement.context
    return Entry(
        log=log_of(event.owner),
        owner=event.owner.id,
        id=statement.id,
        action=event.name,
        actor=statement.actor,
        target=_cut(event.target, 300),
        result=event.result,
        address=context.address,
        request_id=context.request_id,
        details=details_text(event.details),
        at=statement.at,
    )


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
