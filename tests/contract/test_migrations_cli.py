"""./headgate, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.contract.support.databases import FreshDatabase, query
from tests.contract.support.rows import SECRET
from tools.migrations import D1_FOLDER
from tools.postgres import Postgres
from tools.project import ROOT
from tools.state import State

NAMES = sorted(path.name for path in D1_FOLDER.glob("*.sql"))


def headgate(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it from another folder, with nothing of ours in the environment but `variables`."""
    ours = ("STORE", "STATE", "DATABASE_URL", "HEADGATE_SECRET", "ADMIN_EMAIL", "PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [str(ROOT / "headgate"), *arguments],
        cwd="/",
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def table(output: str) -> list[list[str]]:
    """The lines below the heading: name and state."""
    heading, *lines = output.splitlines()
    assert heading.split() == ["NAME", "APPLIED", "AT", "STATE"]
    return [[line.split()[0], line.split()[-1]] for line in lines]


@pytest.mark.parametrize("store", ["d1", "postgres"])
def test_a_local_database_from_nothing_to_seeded_and_back(store: str, tmp_path: Path) -> None:
    """All commands, on a folder that is new; PostgreSQL is started and stopped by each."""
    where = ("--store", store, "--state", str(tmp_path / "state"))
    assert headgate("migrate", "up", *where).stdout == "".join(f"applied {name}\n" for name in NAMES)
    seeded = headgate("seed", "--email", "Me@Example.com", *where)
    assert json.loads(seeded.stdout)["admin_email"] == "me@example.com"
    again = headgate("seed", *where).stdout
    assert json.loads(seeded.stdout)["org_id"] in again
    assert json.loads(seeded.stdout)["api_key"] not in again
    audited = headgate("verify-audit", *where)
    assert (audited.returncode, audited.stdout) == (0, "2 rows in 2 logs: all as they were written.\n")
    undone = "".join(f"undid {name}\n" for name in NAMES[::-1])
    assert headgate("migrate", "down", "--steps", str(len(NAMES)), *where).stdout == undone
    behind = headgate("migrate", "status", "--check", *where)
    assert (behind.returncode, table(behind.stdout)) == (1, [[name, "pending"] for name in NAMES])


def test_a_postgres_elsewhere(database: FreshDatabase) -> None:
    """Named by DATABASE_URL. Going back asks twice, and so does a seed without the deployment's secret."""
    variables = {"STORE": "postgres", "DATABASE_URL": database.owner_url}
    behind = headgate("migrate", "status", **variables)
    assert (behind.returncode, table(behind.stdout)) == (0, [[name, "pending"] for name in NAMES])
    assert headgate("migrate", "up", **variables).returncode == 0
    assert headgate("migrate", "status", "--check", **variables).returncode == 0
    refused = headgate("seed", **variables)
    assert (refused.returncode, "HEADGATE_SECRET must be set" in refused.stderr) == (1, True)
    seeded = headgate("seed", HEADGATE_SECRET=SECRET, ADMIN_EMAIL="me@example.com", **variables)
    linked = headgate("seed", HEADGATE_SECRET=SECRET, ADMIN_EMAIL="me@example.com", **variables)
    links = [json.loads(run.stdout)["set_password"] for run in (seeded, linked)]
    assert all(link.startswith("/reset-password#token=hgm_") for link in links)
    assert links[0] != links[1]
    assert query(database.owner_url, "SELECT purpose FROM mail_tokens") == [{"purpose": "reset_password"}]
    query(database.owner_url, "UPDATE users SET password_hash = 'chosen' RETURNING id")
    again = headgate("seed", HEADGATE_SECRET=SECRET, ADMIN_EMAIL="me@example.com", **variables)
    assert "has an account for me@example.com already: nothing was changed" in again.stdout
    [org] = query(database.owner_url, "SELECT id FROM orgs")
    assert json.loads(seeded.stdout)["org_id"] == org["id"]
    kept = headgate("migrate", "down", **variables)
    assert (kept.returncode, kept.stderr) == (
        1,
        "headgate: going back loses data in PostgreSQL at DATABASE_URL: say --yes if that is what you want.\n",
    )
    assert headgate("migrate", "down", "--yes", **variables).stdout == f"undid {NAMES[-1]}\n"
    everything = [step.stdout + step.stderr for step in (behind, refused, seeded, linked, again, kept)]
    assert str(urlsplit(database.owner_url).password) not in "".join(everything)


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["migrate", "up", "--store", "postgres", "--remote"], {}, "--remote is for D1"),
        (["migrate", "up", "--remote", "--state", "x"], {}, "--state names a local database"),
        (["migrate", "up"], {"STORE": "mysql"}, "STORE must be d1 or postgres, not 'mysql'"),
        (["migrate", "down", "--remote"], {}, "going back loses data in D1 at Cloudflare"),
        (["seed", "--remote"], {"HEADGATE_SECRET": "short"}, "HEADGATE_SECRET must be set, with at least"),
        (["seed", "--remote", "--email", "nobody"], {"HEADGATE_SECRET": SECRET}, "'nobody' is not an e-mail address"),
        (
            ["migrate", "status", "--store", "postgres"],
            {"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/db"},
            "cannot connect to db on 127.0.0.1:1: ",
        ),
        (
            ["migrate", "status", "--store", "postgres"],
            {"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:port/db"},
            "DATABASE_URL must look like postgresql://user:password@host:5432/database",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: list[str], variables: dict[str, str], said: str) -> None:
    """Without a traceback, and without the password that was in the address."""
    done = headgate(*arguments, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith("headgate: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr


def test_a_wrong_password_is_not_repeated(database: FreshDatabase) -> None:
    url = database.owner_url.replace(str(urlsplit(database.owner_url).password), "hunter2")
    done = headgate("migrate", "status", STORE="postgres", DATABASE_URL=url)
    assert "password authentication failed" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("store", ["d1", "postgres"])
def test_a_state_in_use_is_left_alone(store: str, tmp_path: Path) -> None:
    """`make dev` runs there. Who only reads may do so beside it."""
    state = State(tmp_path / "state")
    where = ("--store", store, "--state", str(state.folder))
    assert headgate("migrate", "up", *where).returncode == 0
    server = Postgres(state.postgres, lambda _line, _stream: None)
    state.hold()
    try:
        if store == "postgres":
            server.start()
        done = headgate("migrate", "up", *where)
        audited = headgate("verify-audit", *where)
    finally:
        server.stop()
        state.release()
    assert (done.returncode, "is in use by another run" in done.stderr) == (1, True)
    assert (audited.returncode, audited.stderr) == (0, "")


def test_verifying_the_audit_log_needs_what_it_says(tmp_path: Path) -> None:
    """The deployment's secret, and a file that is what it should be."""
    refused = headgate("verify-audit", "--remote")
    assert (refused.returncode, "HEADGATE_SECRET must be set" in refused.stderr) == (1, True)
    (tmp_path / "heads.json").write_text("[]", encoding="utf-8")
    where = ("--state", str(tmp_path / "state"), "--heads", str(tmp_path / "heads.json"))
    wrong = headgate("verify-audit", *where)
    assert (wrong.returncode, "is not what `verify-audit --json` has printed" in wrong.stderr) == (1, True)


def test_help_tells_each_option() -> None:
    shown = "".join(
        headgate(*words, "--help").stdout
        for words in ([], ["migrate", "down"], ["migrate", "status"], ["seed"], ["verify-audit"])
    )
    for word in (
        "DATABASE_URL",
        "--remote",
        "--steps",
        "--yes",
        "--check",
        "--email",
        "HEADGATE_SECRET",
        "STATE",
        "--heads",
    ):
        assert word in shown
