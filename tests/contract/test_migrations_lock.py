"""Two runs at once, and runs that are killed: on both stores, with real processes."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from tests.contract.support.databases import FreshDatabase, query
from tests.contract.support.migrating import THINGS, Ground
from tools import migrations
from tools.d1_target import D1Target
from tools.migrations import Condition
from tools.postgres_client import connected
from tools.postgres_target import LOCK, PostgresTarget
from tools.project import ToolError
from tools.state import State

UP = "print(target.up())"


def hold_d1(state: State, owner: str, seconds: int) -> None:
    D1Target.local(state).status()  # makes the tables
    D1Target.local(state).execute(
        f"INSERT INTO headgate_migration_lock VALUES (1, '{owner}', unixepoch() + {seconds});"
    )


def test_of_two_runs_one_works(ground: Ground) -> None:
    """Started together, both end well; one has applied it, the other has found it applied."""
    folder = ground.tree(m0001_things=THINGS)
    runs = [ground.process(UP, folder) for _ in range(2)]
    outputs = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert sorted(output.strip() for output, _ in outputs) == ["['0001_things.sql']", "[]"]


def test_a_run_that_cannot_wait_says_who_migrates_on_d1(state: State) -> None:
    hold_d1(state, "elsewhere/1/other", 300)
    with pytest.raises(ToolError, match=r"another run \(elsewhere/1/other\) is migrating .* in \d+ seconds"):
        D1Target.local(state, wait_seconds=0).up()
    assert {line.condition for line in D1Target.local(state).status()} == {Condition.PENDING}


@pytest.mark.parametrize(
    ("owner", "seconds"), [("elsewhere/1/other", -1), (f"{socket.gethostname()}/{2**22 + 1}/dead", 300)]
)
def test_a_lock_that_nobody_holds_any_more_is_taken_on_d1(state: State, owner: str, seconds: int) -> None:
    """It has expired, or its owner was a process of this machine that is gone."""
    hold_d1(state, owner, seconds)
    assert D1Target.local(state, wait_seconds=5).up()


def test_the_lock_of_a_living_process_is_respected_on_d1(state: State) -> None:
    hold_d1(state, f"{socket.gethostname()}/{os.getpid()}/alive", 300)
    with pytest.raises(ToolError, match="another run"):
        D1Target.local(state, wait_seconds=0).up()


def test_a_run_that_lost_its_lock_does_nothing_on_d1(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asleep until its lock had expired and another had taken it: the work itself looks again."""
    honest = migrations.pending

    def slow(*arguments: object) -> object:
        D1Target.local(state).execute("UPDATE headgate_migration_lock SET owner = 'elsewhere/1/other';")
        return honest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(migrations, "pending", slow)
    with pytest.raises(ToolError, match="headgate_migration_lock_was_lost"):
        D1Target.local(state).up()
    monkeypatch.undo()
    assert {line.condition for line in D1Target.local(state).status()} == {Condition.PENDING}
    [lock] = D1Target.local(state).rows("SELECT owner FROM headgate_migration_lock")
    assert lock == {"owner": "elsewhere/1/other"}, "we gave back another's lock"


def test_a_run_that_cannot_wait_says_so_on_postgres(database: FreshDatabase) -> None:
    with connected(database.owner_url) as other:
        other.rows(f"SELECT pg_try_advisory_lock({LOCK})")
        with pytest.raises(ToolError, match=r"another run is migrating test_\d+ on 127\.0\.0\.1"):
            PostgresTarget(database.owner_url, wait_seconds=0).up()
    assert PostgresTarget(database.owner_url, wait_seconds=5).up()


def test_a_table_in_use_is_not_waited_for_long_on_postgres(
    database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every request would wait behind the migration, which waits behind one long transaction."""
    from tests.contract.support.migrating import MORE, write_tree
    from tools import postgres_target

    monkeypatch.setattr(postgres_target, "PATIENCE", "200ms")
    target = PostgresTarget(database.owner_url, folder=write_tree(tmp_path / "tree", {"0001_things.sql": THINGS}))
    target.up()
    write_tree(tmp_path / "tree", {"0002_more.sql": MORE})
    with connected(database.owner_url) as other:
        other.run("BEGIN; SELECT * FROM things")
        with pytest.raises(ToolError, match="lock timeout"):
            target.up()
    assert target.up() == ["0002_more.sql"]


def test_a_killed_run_on_postgres_leaves_nothing(database: FreshDatabase, tmp_path: Path) -> None:
    """Neither a half migration nor, for more than a moment, a lock: the server sees that the client has gone."""
    ground = Ground("postgres", tmp_path / "tree", database.owner_url)
    slow = "CREATE TABLE things (id text PRIMARY KEY);\nSELECT pg_sleep(60);"
    run = ground.process(UP, ground.tree(m0001_things=(slow, THINGS[1])))
    deadline = time.monotonic() + 30
    asleep = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    while not query(database.superuser_url, asleep):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.kill()
    run.communicate(timeout=10)
    assert ground.target(ground.tree(m0001_things=THINGS), wait_seconds=20).up() == ["0001_things.sql"]


def test_a_killed_run_on_d1_leaves_nothing(state: State, tmp_path: Path) -> None:
    """Killed with the lock in its hand, before the work: the next run takes the lock from the dead."""
    ground = Ground("d1", tmp_path / "tree", state)
    folder = ground.tree(m0001_things=THINGS)
    run = ground.process("target._work = lambda *_: (print('locked', flush=True), time.sleep(60))\ntarget.up()", folder)
    assert run.stdout is not None
    assert run.stdout.readline() == "locked\n"
    run.kill()
    run.communicate(timeout=10)
    assert D1Target.local(state).rows("SELECT count(*) AS locks FROM headgate_migration_lock") == [{"locks": 1}]
    assert ground.target(folder, wait_seconds=5).up() == ["0001_things.sql"]
