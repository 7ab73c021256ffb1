"""Which fields of a request a vendor has another name for, refuses, or must not be sent."""

from __future__ import annotations

from lib.gateway.formats.format import Json
from lib.gateway.models import ModelFacts


def by_vendor(json: Json, known: ModelFacts) -> tuple[Json, list[str]]:
    """Return the members that go to a vendor in place of the client's, and the names of those that do not go.

    Where the client says both names of a field, the vendor's own holds.
    """
    changes: Json = {}
    left_out = [name for name in known.fields if name in json]
    for name in left_out:
        theirs = known.fields[name]
        if theirs is not None and json[name] is not None and json.get(theirs) is None:
            changes[theirs] = json[name]
    if known.functions_only and json.get("tools") is not None:
        tools = json["tools"] if isinstance(json["tools"], list) else []
        changes["tools"] = [tool for tool in tools if isinstance(tool, dict) and tool.get("type") == "function"]
        if not changes["tools"]:
            left_out.append("tools")
    return changes, left_out
