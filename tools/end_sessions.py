"""./headgate end-sessions: sign one person, or everybody, out of a running Headgate, wherever they are signed in."""

from __future__ import annotations

import urllib.parse

from tools.verify_ledger import Asked, ask

PATH = "/api/v1/operator/users/actions"


def end_sessions(where: Asked, email: str | None) -> int:
    """Sign the person with this address out, or everybody where it is None; print how many that were.

    Raises ToolError.
    """
    count = _of_everyone(where) if email is None else _of_person(where, email)
    print(f"{count} {'person is' if count == 1 else 'people are'} signed out everywhere.")
    return 0


def _of_person(where: Asked, email: str) -> int:
    ask(where, f"{PATH}/end_sessions", "POST", {"email": email})
    return 1


def _of_everyone(where: Asked) -> int:
    count = 0
    cursor: str | None = ""
    while cursor is not None:
        query = "?" + urllib.parse.urlencode({"cursor": cursor}) if cursor else ""
        page = ask(where, f"{PATH}/end_all_sessions{query}", "POST")
        count += len(page["data"])
        cursor = page["meta"]["next_cursor"]
    return count
