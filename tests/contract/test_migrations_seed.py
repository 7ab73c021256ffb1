"""The first organisation: made once, on both stores, also when a run was killed in between."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lib.secrets import api_keys
from tests.contract.support.databases import FreshDatabase
from tests.contract.support.migrating import Ground
from tools.env_file import write_private
from tools.migrate import migrate, seed
from tools.postgres_target import PostgresTarget
from tools.seed import new_credentials, statements
from tools.state import State

ROWS = (
    "SELECT orgs.id AS org_id, users.email AS admin_email, role, secret_hash, scopes FROM orgs"
    " JOIN memberships ON memberships.org_id = orgs.id JOIN users ON users.id = memberships.user_id"
    " JOIN api_keys ON api_keys.org_id = orgs.id AND kind = 'server'"
)


def test_a_second_seed_changes_nothing(ground: Ground, state: State) -> None:
    target = ground.target()
    migrate(state, target)
    made, new = seed(state, target, "Me@first.example".lower())
    assert new
    [row] = target.rows(ROWS)
    pepper = api_keys.derive(state.secrets()["HEADGATE_SECRET"], "api-key-pepper")
    assert (row["org_id"], row["admin_email"], row["role"]) == (made.org_id, "me@first.example", "owner")
    assert row["secret_hash"] == api_keys.key_hash(made.api_key, pepper)
    assert seed(state, target, "another@first.example") == (made, False)
    assert target.rows(ROWS) == [row]
    assert state.read_credentials() == dataclasses.asdict(made)


@pytest.mark.parametrize("after", [False, True], ids=["before the database changed", "after it"])
def test_a_seed_that_was_killed_is_completed(ground: Ground, state: State, after: bool) -> None:
    """The credentials that it had written are those that hold."""
    target = ground.target()
    migrate(state, target)
    made = new_credentials()
    write_private(state.pending_credentials, json.dumps(dataclasses.asdict(made)))
    if after:
        target.execute(statements(made, state.secrets()["HEADGATE_SECRET"]))
    assert seed(state, target) == (made, not after)
    assert [row["org_id"] for row in target.rows(ROWS)] == [made.org_id]
    assert not state.pending_credentials.exists()


def test_both_databases_of_a_state_know_the_same_credentials(state: State, database: FreshDatabase) -> None:
    """`make dev` with either store is called with the same key."""
    migrate(state)
    on_postgres = PostgresTarget(database.owner_url)
    migrate(state, on_postgres)
    made, _ = seed(state)
    assert seed(state, on_postgres) == (made, True)
    assert seed(state) == seed(state, on_postgres) == (made, False)


def test_a_database_that_went_back_is_seeded_again(ground: Ground, state: State) -> None:
    """The stamps, which save a start of wrangler, do not outlive what they stand for."""
    target = ground.target()
    migrate(state, target)
    made, _ = seed(state, target)
    target.down(len(target.status()))
    migrate(state, target)
    assert seed(state, target) == (made, True)


def test_nothing_is_started_when_nothing_has_changed(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make dev` starts a second time without the seconds that wrangler would take."""
    from tools import node

    migrate(state)
    made, _ = seed(state)
    monkeypatch.setattr(node, "wrangler", lambda *_: pytest.fail("wrangler was started"))
    migrate(state)
    assert seed(state) == (made, False)
