"""Bring a local D1 database up to date, and give it its first organisation once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from tools import node
from tools.env_file import write_private
from tools.project import ROOT, WORKERD_WRAPPER
from tools.run import run
from tools.state import State

DATABASE = "headgate"


def wrangler_environment(state: State) -> dict[str, str]:
    """For every wrangler that we start: our workerd, no calls home, and nothing shared with another instance."""
    inherited = node.environment(node.find())
    inherited.pop("FORCE_COLOR", None)
    return {
        **inherited,
        "CI": "true",  # never ask
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "CLOUDFLARE_INCLUDE_PROCESS_ENV": "false",
        "MINIFLARE_WORKERD_PATH": str(WORKERD_WRAPPER),
        "NO_COLOR": "1",
        "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_LOG_PATH": str(state.folder / "logs"),
        "WRANGLER_REGISTRY_PATH": str(state.folder / "registry"),
        "WRANGLER_SEND_ERROR_REPORTS": "false",
        "WRANGLER_SEND_METRICS": "false",
    }


def _d1(state: State, *arguments: str | Path, what: str) -> str:
    command = node.wrangler("d1", *arguments, "--local", "--persist-to", state.folder)
    return run(command, what=what, env=wrangler_environment(state))


def _migrations_digest() -> str:
    total = hashlib.sha256()
    for path in sorted((ROOT / "migrations").glob("*.sql")):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def migrate(state: State) -> None:
    """Apply the migrations that this state has not seen. Starting wrangler takes seconds: a stamp saves it."""
    digest = _migrations_digest()
    if state.migrated.exists() and state.migrated.read_text(encoding="utf-8") == digest:
        return
    _d1(state, "migrations", "apply", DATABASE, what="applying the migrations")
    write_private(state.migrated, digest)


def _org_exists(state: State, org_id: str) -> bool:
    if not all(character.isalnum() or character in "-_" for character in org_id):
        return False
    query = f"SELECT count(*) AS found FROM orgs WHERE id = '{org_id}'"
    answer = json.loads(_d1(state, "execute", DATABASE, "--json", "--command", query, what="looking for the seed"))
    return bool(answer[0]["results"][0]["found"])


def seed(state: State) -> None:
    """Make the first organisation, its administrator and a key, once per state.

    The credentials are written before the database changes and get their final name after it: a run that is killed in
    between is completed by the next.
    """
    if state.credentials.exists():
        return
    pending = state.pending_credentials
    if pending.exists() and _org_exists(state, json.loads(pending.read_text(encoding="utf-8"))["org_id"]):
        pending.replace(state.credentials)
        return
    from tools.seed import seed_statements  # noqa: PLC0415 # it needs packages that the set-up brings first

    made, sql = seed_statements(state.secrets()["HEADGATE_SECRET"])
    write_private(pending, json.dumps(dataclasses.asdict(made), indent=2) + "\n")
    script = state.folder / "seed.sql"
    write_private(script, sql)
    try:
        _d1(state, "execute", DATABASE, "--yes", "--file", script, what="seeding the database")
    finally:
        script.unlink(missing_ok=True)
    pending.replace(state.credentials)
