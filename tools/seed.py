"""The first organisation, its administrator and an API key, as SQL: for `make dev` and for a new deployment.

Usage: python -m tools.seed  (needs HEADGATE_SECRET; prints SQL, and on standard error the credentials, once)

`./headgate seed` runs the same SQL itself. Only on this machine has the administrator a password from the beginning. Of
a deployment nobody knows one that it has not chosen: it begins with a link that ends in a day (ASVS V6.4.1).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from lib.access.principal import ALL_SCOPES
from lib.audit.link_store import EMPTY, link_hash
from lib.config import MIN_SECRET_CHARACTERS, AccountConfig
from lib.events.event_store import Entry, Log, log_key, row_of
from lib.kernel.ids import new_id
from lib.orgs.home_store import PERSON_NAME, PERSON_PREFIX
from lib.secrets import api_keys
from lib.secrets.opaque import new_secret
from lib.sign_in.mail_tokens import PREFIX, MailPurpose
from lib.sign_in.passwords import HashCost, Passwords
from lib.store.dialect import time_text
from tools.arguments import flags
from tools.migrations import quoted
from tools.password_hasher import CffiArgon2
from tools.project import ToolError

ADMIN_EMAIL = "admin@headgate.example"
LINK_HOURS = 24


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the first person needs. The password and the key are stored only as hashes."""

    org_id: str
    admin_email: str
    admin_password: str
    api_key: str


@dataclass(frozen=True, slots=True)
class FirstAccess:
    """The same for a deployment. `set_password` is a path there, by which the administrator chooses its password."""

    org_id: str
    admin_email: str
    set_password: str
    api_key: str


def checked_email(text: str) -> str:
    """The address as the database keeps it. Raises ToolError."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text) or len(text) > 254 or not text.isascii():
        raise ToolError(f"{text!r} is not an e-mail address that Headgate can use.")
    return text.lower()


def as_json(made: Credentials | FirstAccess) -> str:
    return json.dumps(asdict(made), indent=2) + "\n"


def new_credentials(email: str = ADMIN_EMAIL) -> Credentials:
    return Credentials(new_id(datetime.now(UTC)), email, secrets.token_urlsafe(18), api_keys.new_key())


def first_access(email: str = ADMIN_EMAIL) -> FirstAccess:
    return FirstAccess(new_id(datetime.now(UTC)), email, new_link(), api_keys.new_key())


def new_link() -> str:
    """Return the path of a new link to choose a password."""
    return f"/reset-password#token={new_secret(PREFIX)}"


def link_statements(user_id: str, email: str, link: str, secret: str) -> str:
    """Return the SQL that makes a link the only one of an account; it works once, and for LINK_HOURS."""
    now = datetime.now(UTC)
    purpose = str(MailPurpose.RESET_PASSWORD)
    row: dict[str, object] = {
        "id": new_id(now),
        "user_id": user_id,
        "purpose": purpose,
        "email": email,
        "secret_hash": api_keys.key_hash(link.partition("#token=")[2], _pepper(secret)),
        "expires_at": time_text(now + timedelta(hours=LINK_HOURS)),
        "created_at": time_text(now),
        "updated_at": time_text(now),
    }
    old = f"DELETE FROM mail_tokens WHERE user_id = {quoted(user_id)} AND purpose = {quoted(purpose)};"
    return f"{old}\n{_insert('mail_tokens', row)}\n"


def _pepper(secret: str) -> bytes:
    return api_keys.derive(secret, "api-key-pepper")


def statements(made: Credentials | FirstAccess, secret: str) -> str:
    """Return the SQL, of both dialects, that makes `made` known. `secret` is the deployment's HEADGATE_SECRET.

    The organisation's id is the credentials', so running it a second time is refused as a whole.
    """
    moment = datetime.now(UTC)
    now = time_text(moment)
    user_id = new_id(moment)
    key_hash = api_keys.key_hash(made.api_key, _pepper(secret))
    password, link = {}, ""
    if isinstance(made, FirstAccess):
        link = link_statements(user_id, made.admin_email, made.set_password, secret)
    else:
        password["password_hash"] = _password_hash(made.admin_password, secret)
    rows: list[tuple[str, dict[str, object]]] = [
        ("orgs", {"id": made.org_id, "name": "My organisation"}),
        (
            "users",
            {
                "id": user_id,
                "email": made.admin_email,
                "name": "Administrator",
                **password,
                "email_verified_at": now,
            },
        ),
        ("memberships", {"org_id": made.org_id, "user_id": user_id, "role": "owner"}),
        (
            "api_keys",
            {
                "id": new_id(moment),
                "org_id": made.org_id,
                "name": "First key",
                "prefix": api_keys.shown_prefix(made.api_key),
                "secret_hash": key_hash,
                "scopes": json.dumps(sorted(ALL_SCOPES)),
            },
        ),
        (
            "api_keys",
            {
                "id": new_id(moment),
                "org_id": made.org_id,
                "name": PERSON_NAME,
                "prefix": PERSON_PREFIX,
                "secret_hash": secrets.token_hex(32),  # of nothing that anybody could present
                "scopes": "[]",
                "kind": "person",
                "user_id": user_id,
            },
        ),
    ]
    text = "\n".join(_insert(table, {**row, "created_at": now, "updated_at": now}) for table, row in rows)
    born = "\n".join(
        _born(log, owner, secret, moment) for log, owner in ((Log.ORG, made.org_id), (Log.PERSON, user_id))
    )
    return f"{text}\n{born}\n{link}"


def _born(log: Log, owner: str, secret: str, now: datetime) -> str:
    """Return the SQL of the first row of a log, and of its link: by it the log is known to be whole."""
    key, target = log_key(secret), f"org:{owner}" if log is Log.ORG else None
    entry = Entry(log, owner, new_id(now), log.birth, "operator", target, "ok", None, None, "{}", now)
    row = row_of(key, entry)
    previous, hashed = EMPTY.hash, link_hash(key, log, owner, 1, str(row["hash"]), EMPTY.hash)
    shown = {name: time_text(value) if isinstance(value, datetime) else value for name, value in row.items()}
    place: dict[str, object] = {log.owner_column: owner, "seq": 1}
    made = {name: shown[name] for name in ("created_at", "updated_at")}
    return "\n".join(
        (
            _insert(str(log), place | {name: value for name, value in shown.items() if value is not None}),
            _insert(log.links, place | {"previous_hash": previous, "hash": hashed} | made),
        )
    )


def _password_hash(password: str, secret: str) -> str:
    """Return what the Worker would store, at the default cost; at another, it is made anew at the first sign-in."""
    default = AccountConfig()
    cost = HashCost(default.password_memory_kib, default.password_passes)
    return Passwords(CffiArgon2(), secret, cost, default.password_min_length).hash(password)


def seed_statements(secret: str, email: str = ADMIN_EMAIL) -> tuple[Credentials, str]:
    """Return new credentials, and the SQL that makes them known."""
    made = new_credentials(email)
    return made, statements(made, secret)


def _insert(table: str, row: dict[str, object]) -> str:
    """Return one INSERT. Its values are ours, but for the address, which may hold a quote."""
    values = ", ".join(quoted(str(value)) for value in row.values())
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values});"


def required_secret(environment: Mapping[str, str]) -> str:
    """Raises ToolError: without the deployment's own secret, the key that we make would not be known there."""
    secret = environment.get("HEADGATE_SECRET", "")
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise ToolError(
            f"HEADGATE_SECRET must be set, with at least {MIN_SECRET_CHARACTERS} characters: the deployment's own."
        )
    return secret


def main() -> None:
    flags(__doc__)
    try:
        secret, email = required_secret(os.environ), checked_email(os.environ.get("ADMIN_EMAIL") or ADMIN_EMAIL)
    except ToolError as error:
        sys.exit(f"seed: {error}")
    made = first_access(email)
    sys.stdout.write(statements(made, secret))
    sys.stderr.write(as_json(made))


if __name__ == "__main__":
    main()
