"""Which fields of a request a vendor has another name for, refuses, or must not be sent."""

from __future__ import annotations

from collections.abc import Mapping

from lib.gateway.formats.format import Json


def by_vendor(json: Json, fields: Mapping[str, str | None]) -> tuple[Json, list[str]]:
    """Return the members that go to a vendor in place of the client's, and the names of those that do not go.

    `fields` are `ModelFacts.fields`. Where the client says both names, the vendor's own holds.
    """
    changes: Json = {}
    left_out = [name for name in fields if name in json]
    for name in left_out:
        theirs = fields[name]
        if theirs is not None and json[name] is not None and json.get(theirs) is None:
            changes[theirs] = json[name]
    return changes, left_out
