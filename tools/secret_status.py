"""./headgate secret-status: how much still hangs on a secret that HEADGATE_SECRET was before.

It is read from the database itself. Passwords and authenticators name their secret; of the rest it is known by when
they were made or used last, so `since` is the moment from which on every isolate has had the new secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from lib.secrets.api_keys import secret_id
from lib.store.dialect import time_text
from tools.migrations import Target, quoted
from tools.project import ToolError


def counts(target: Target, secret: str, since: datetime, now: datetime) -> Mapping[str, int]:
    """Return, by what it is, how many would end with the old secret. `secret` is the new one. Raises ToolError."""
    known, then, today = secret_id(secret), quoted(time_text(since)), quoted(time_text(now))
    live = f"created_at < {then} AND expires_at > {today}"
    conditions = {
        "passwords": f"users WHERE password_hash IS NOT NULL AND password_hash NOT LIKE '%,keyid={known}$%'",
        "authenticators": f"users WHERE totp_sealed IS NOT NULL AND totp_sealed NOT LIKE '{known}.%'",
        "recovery codes": f"recovery_codes WHERE used_at IS NULL AND created_at < {then}",
        "API keys": (
            f"api_keys WHERE kind <> 'person' AND revoked_at IS NULL AND created_at < {then}"
            f" AND (expires_at IS NULL OR expires_at > {today}) AND (last_used_at IS NULL OR last_used_at < {then})"
        ),
        "ways in at other providers": f"logins WHERE updated_at < {then}",
        "browsers' sessions": f"sessions WHERE revoked_at IS NULL AND {live}",
        "apps' refresh tokens": f"refresh_tokens WHERE revoked_at IS NULL AND used_at IS NULL AND {live}",
        "invitations": f"invitations WHERE accepted_at IS NULL AND revoked_at IS NULL AND {live}",
        "links of mails": f"mail_tokens WHERE used_at IS NULL AND {live}",
    }
    queries = (f"SELECT count(*) AS number FROM {condition}" for condition in conditions.values())
    return {name: int(target.rows(query)[0]["number"]) for name, query in zip(conditions, queries, strict=True)}


def status(target: Target, secret: str, since: str, *, as_json: bool) -> int:
    """Print what hangs on the old secret; return the exit status: 0 only where nothing does. Raises ToolError."""
    found = counts(target, secret, _moment(since), datetime.now(UTC))
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        width = max(map(len, found))
        print("\n".join(f"{name:{width}}  {number}" for name, number in found.items()))
        print(
            "These end with the old secret." if any(found.values()) else "Nothing hangs on the old secret: it may go."
        )
    return int(any(found.values()))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ToolError(f"{text!r} is no moment: write it as 2026-11-30T12:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
