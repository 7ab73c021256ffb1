"""How an event is stored in the audit log: what never stands there, and how long it may be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lib.audit.chain import Entry, Log
from lib.events.event import Detail, EventStatement, Plain
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
