"""What a change has changed: the old and the new of each field, as the audit log's `details` carry it. No I/O.

    differences(row, replace(row, amount=6))  →  {"changes": {"limit": {"old": 5, "new": 6}}}

Of what was made there are only new values, of what was deleted only old ones. No secret is in it, nor a hash of one;
and nothing that is a person's own, which could not leave the log with the account.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from lib.events.event import Detail, Plain
from lib.store.dialect import time_text

PERSONAL = "[personal]"
# Whose last word is one of these says nothing that a reader of the log may know.
_NEVER = ("password", "secret", "token", "code", "cookie", "hash", "sealed")
# Which row it is stands in `target`; when, in the event itself.
_BOOKKEEPING = (
    "id", "org_id", "version", "created_at", "updated_at", "last_used_at", "created_by_key_id", "price_id",
    "line_key_id", "maker_line_ids", "holder_key_id", "maker_holder_ids", "org_suspended_at", "person_suspended_at",
)  # fmt: skip
# As the API calls what the tables call otherwise.
_NAMES: Mapping[str, str] = {
    "amount": "limit",
    "model_names": "models",
    "scope_id": "scope.id",
    "scope_model": "scope.model",
    "scope_type": "scope.type",
    "second_factor_required_at": "second_factor_required_since",
    "spend_window": "window",
}


def differences(old: Any, new: Any) -> dict[str, Detail]:
    """Return the fields that differ between two values, each a mapping, a dataclass, or None where there is none."""
    was, now = dict(_fields(old)), dict(_fields(new))
    changed: dict[str, Mapping[str, Plain]] = {}
    for name in {**was, **now}:
        if was.get(name) != now.get(name):
            sides = (("old", old, was), ("new", new, now))
            changed[name] = {side: values.get(name) for side, of, values in sides if of is not None}
    return {"changes": changed}


def personal(*names: str) -> dict[str, Detail]:
    """Return that these fields of a person have changed, and not what they say."""
    return {"changes": {name: {"old": PERSONAL, "new": PERSONAL} for name in names}}


def _fields(of: Any, place: str = "") -> Iterator[tuple[str, Plain]]:
    """Yield names and values, those of what stands inside under `outer.inner`."""
    if of is None:
        return
    named = {field.name: getattr(of, field.name) for field in fields(of)} if is_dataclass(of) else dict(of)
    for name, value in named.items():
        if name in _BOOKKEEPING or name.rpartition("_")[2] in _NEVER:
            continue
        if is_dataclass(value):
            yield from _fields(value, f"{place}{name}.")
        else:
            yield _NAMES.get(place + name, place + name), _plain(value)


def _plain(value: Any) -> Plain:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, frozenset | set | list | tuple):
        return " ".join(sorted(map(str, value)))
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, default=str) if value else None
    return value if value is None or isinstance(value, int) else str(value)
