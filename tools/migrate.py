"""Bring a local database up to date, and give it its first organisation once. For a stack's STATE, on either store."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from tools.d1_target import D1Target, seeded_stamp
from tools.env_file import write_private
from tools.migrations import Target, quoted
from tools.state import State

if TYPE_CHECKING:
    from tools.seed import Credentials


def migrate(state: State, target: Target | None = None) -> None:
    """Apply the migrations that the database has not seen. Without a target it is the state's D1."""
    chosen = target or D1Target.local(state)
    if not chosen.known_current():
        chosen.up()


def seed(state: State, target: Target | None = None, email: str | None = None) -> tuple[Credentials, bool]:
    """Make the first organisation, its administrator and a key, once. Return them, and whether they are new.

    The credentials are written before the database changes and get their final name after it: a run that is killed in
    between is completed by the next. A state has one set of them, which both of its databases come to know.
    """
    # It needs packages that the set-up brings first.
    from tools.seed import ADMIN_EMAIL, new_credentials, statements  # noqa: PLC0415

    chosen = target or D1Target.local(state)
    pending = state.pending_credentials
    known = state.credentials if state.credentials.exists() else pending if pending.exists() else None
    if known is not None:
        made = _read(json.loads(known.read_text(encoding="utf-8")))
    else:
        made = new_credentials(email or ADMIN_EMAIL)
        write_private(pending, json.dumps(dataclasses.asdict(made), indent=2) + "\n")
    missing = not _surely_has(state, chosen, made.org_id) and not _org_exists(chosen, made.org_id)
    if missing:
        chosen.execute(statements(made, state.secrets()["HEADGATE_SECRET"]))
    if isinstance(chosen, D1Target):
        write_private(seeded_stamp(state), made.org_id)
    if not state.credentials.exists():
        pending.replace(state.credentials)
    return made, missing


def _read(content: dict[str, str]) -> Credentials:
    """`make dev` keeps more in the same file."""
    from tools.seed import Credentials  # noqa: PLC0415 # as above

    return Credentials(**{field.name: content[field.name] for field in dataclasses.fields(Credentials)})


def _surely_has(state: State, target: Target, org_id: str) -> bool:
    stamp = seeded_stamp(state)
    return isinstance(target, D1Target) and stamp.exists() and stamp.read_text(encoding="utf-8") == org_id


def _org_exists(target: Target, org_id: str) -> bool:
    return bool(target.rows(f"SELECT id FROM orgs WHERE id = {quoted(org_id)}"))
