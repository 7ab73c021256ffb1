"""`wrangler d1 migrations` and ours, mixed on one local D1."""

from __future__ import annotations

from tools import node
from tools.d1_target import D1Target
from tools.migrations import Condition
from tools.run import run
from tools.state import State
from tools.wrangler import DATABASE, wrangler_environment


def wrangler(state: State, action: str) -> str:
    command = node.wrangler("d1", "migrations", action, DATABASE, "--local", "--persist-to", state.folder)
    return run(command, what=f"wrangler {action}", env=wrangler_environment(state))


def test_wrangler_has_nothing_to_do_after_ours(state: State) -> None:
    """It reads the table that we write; and it takes neither the ways back nor PostgreSQL's files for its own."""
    assert D1Target.local(state).up()
    assert "No migrations to apply" in wrangler(state, "apply")
    assert "No migrations to apply" in wrangler(state, "list")


def test_ours_adopts_what_wrangler_has_applied(state: State) -> None:
    """It says so once; from then on an edit would be noticed."""
    said: list[str] = []
    wrangler(state, "apply")
    target = D1Target.local(state, tell=said.append)
    assert {line.condition for line in target.status()} == {Condition.APPLIED}
    assert target.rows("SELECT * FROM headgate_migrations") == []
    assert target.up() == []
    assert "0001_initial.sql was applied by wrangler: its checksum is written down from now on." in said
    told = len(said)
    assert target.up() == []
    assert len(said) == told
    assert all(row["checksum"] for row in target.rows("SELECT checksum FROM headgate_migrations"))


def test_wrangler_applies_again_what_we_undid(state: State) -> None:
    names = D1Target.local(state).up()
    assert D1Target.local(state).down(1) == names[-1:]
    assert names[-1] in wrangler(state, "apply")
    assert D1Target.local(state).up() == []
