"""./headgate reconcile: after the database was restored, make it and the gates of a running Headgate say the same."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator

from tools.verify_ledger import AGREES, Asked, Json, ask, table

PATH = "/api/v1/operator/gates/actions/reconcile"


def reconciled(where: Asked) -> Iterator[Json]:
    """Yield what was done for each organisation. Raises ToolError."""
    cursor: str | None = ""
    while cursor is not None:
        query = "?" + urllib.parse.urlencode({"cursor": cursor}) if cursor else ""
        page = ask(where, PATH + query, "POST")
        yield from page["data"]
        cursor = page["meta"]["next_cursor"]


def reconcile(where: Asked, *, as_json: bool) -> int:
    """Print what was done; return 0 only where counters and ledger agree now."""
    done = []
    for one in reconciled(where):
        done.append(one)
        if not as_json:
            print(f"{table(one)}\n  written again: {one['restored_records']} records", flush=True)
    agree = sum(one["verdict"] == AGREES for one in done)
    if as_json:
        print(json.dumps(done, indent=2))
    else:
        print(f"{agree} of {len(done)} organisations agree.")
    return int(agree < len(done))
