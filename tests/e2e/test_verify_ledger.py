"""./headgate verify-ledger against a running Headgate: it says of each organisation whether counter = ledger."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lib.secrets.operator_tokens import new_token
from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.names import sim_model
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import add_organisations
from tools.project import ROOT, VENV_PYTHON
from tools.stack import Stack

CHECKS = "/api/v1/operator/ledger-checks"
ORGANISATIONS = 6  # beside the first: more than a page of them
SCOPES: list[Json] = [{"type": "org"}, {"type": "key", "id": "*"}, {"type": "end_user", "id": "*"}]
WINDOWS = ["total", "day", "rolling:3600"]


@pytest.fixture(scope="module")
def own_stack(stacks: Stacks) -> Iterator[Stack]:
    """A stack whose ledger a test may falsify."""
    stack = stacks.new("verify")
    try:
        add_organisations(stack, ORGANISATIONS)
        with stack:
            yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def called(own_stack: Stack, http: httpx.Client) -> tuple[Headgate, str]:
    """A Headgate with budgets of all kinds and calls under them, and a model that was called once."""
    headgate, model = Headgate(http, own_stack.base_url, own_stack.api_key), sim_model("chunks7")
    for scope in SCOPES:
        for window in WINDOWS:
            body = {"scope": scope, "window": window, "limit_nano_usd": 10**12}
            assert headgate.post("/api/v1/budgets", body).status_code == 201
    for user in ("alice", "bob", "carol"):
        headgate.chat(sim_model("chunks3"), user=user, stream=True)
        headgate.chat(sim_model("err500"), user=user)
    headgate.chat(model, user="alice")
    headgate.record(model)
    return headgate, model


def verify(
    stack: Stack, *more: str, command: str = "verify-ledger", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as `./headgate` does."""
    arguments = [str(VENV_PYTHON), "-P", "-m", "tools.headgate", command, "--url", stack.base_url, *more]
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    plain = {name: value for name, value in os.environ.items() if name not in ("HEADGATE_SECRET", "STATE")}
    return subprocess.run(
        arguments,
        env={**plain, "PYTHONPATH": path, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def found(stack: Stack) -> tuple[int, Json]:
    """The exit code, and what was found of the first organisation."""
    done = verify(stack, "--json", "--state", str(stack.state.folder))
    checks = json.loads(done.stdout)
    assert len(checks) == ORGANISATIONS + 1, done.stderr
    [own] = [check for check in checks if check["org_id"] == stack.org_id]
    assert all(check["verdict"] == "agrees" for check in checks if check is not own)
    return done.returncode, own


def test_counters_are_the_ledger(own_stack: Stack, called: tuple[Headgate, str]) -> None:
    """Exit code 0, and a table of every organisation; by an own key the same can be asked."""
    done = verify(own_stack, "--state", str(own_stack.state.folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"organisation {own_stack.org_id}: agrees" in done.stdout
    assert done.stdout.splitlines()[-1] == f"{ORGANISATIONS + 1} of {ORGANISATIONS + 1} organisations agree."

    code, own = found(own_stack)
    assert (code, own["refused_records"], len(own["budgets"])) == (0, 0, len(SCOPES) * len(WINDOWS))
    for budget in own["budgets"]:
        assert budget["counter_nano_usd"] == budget["ledger_least_nano_usd"] == budget["ledger_most_nano_usd"] > 0
    assert {budget["subjects"] for budget in own["budgets"]} == {1, 3}
    assert called[0].post("/api/v1/ledger/actions/verify", {}).json()["data"] == own


def test_a_falsified_record_is_found(own_stack: Stack, called: tuple[Headgate, str]) -> None:
    """One nano-dollar too much is enough: exit code 1, and who is concerned is named; put right, all agree again."""
    change = f"UPDATE usage_records SET cost_nano_usd = cost_nano_usd {{}} 1 WHERE model = '{called[1]}'"
    own_stack.target().execute(change.format("+"))
    try:
        code, own = found(own_stack)
        assert (code, own["verdict"]) == (1, "differs")
        for budget in own["budgets"]:
            [line] = budget["found"]
            assert line["ledger_least_nano_usd"] == line["ledger_most_nano_usd"] == line["counter_nano_usd"] + 1
        assert {line["subject"] for budget in own["budgets"] for line in budget["found"]} >= {"alice"}
        done = verify(own_stack, "--state", str(own_stack.state.folder))
        assert done.returncode == 1
        assert "the counter is not the sum of the records" in done.stdout
        assert f"{ORGANISATIONS} of {ORGANISATIONS + 1} organisations agree." in done.stdout
    finally:
        own_stack.target().execute(change.format("-"))
    assert found(own_stack)[0] == 0


def test_after_a_restore_gates_and_store_say_the_same_again(own_stack: Stack, called: tuple[Headgate, str]) -> None:
    """The database of an earlier day: without the last calls, the key that made them, or a budget's later amount.

    The store's rules hold then; what was spent stays spent, and the ledger hears of it again. The key stays lost.
    """
    headgate, model = called[0], sim_model("chunks3")
    body = {"scope": {"type": "model", "id": model}, "window": "day", "limit_nano_usd": 10**12}
    budget = headgate.post("/api/v1/budgets", body).json()["data"]
    key = headgate.new_key()
    for user in ("alice", "dora"):
        assert headgate.as_key(key.secret).chat(model, user=user).status_code == 200
    headgate.records_when(2, model=model)
    before = {each["budget_id"]: each["counter_nano_usd"] for each in found(own_stack)[1]["budgets"]}
    own_stack.target().execute(
        f"DELETE FROM usage_records WHERE model = '{model}'; DELETE FROM api_keys WHERE id = '{key.id}';"
        f" UPDATE budgets SET limit_nano_usd = 1 WHERE id = '{budget['id']}';"
    )
    assert found(own_stack)[1]["verdict"] == "differs"
    assert headgate.chat(model).status_code == 200  # its gate goes by the rules that it knows

    done = verify(own_stack, "--json", "--state", str(own_stack.state.folder), command="reconcile")

    assert done.returncode == 0, done.stderr + done.stdout
    [own] = [one for one in json.loads(done.stdout) if one["org_id"] == own_stack.org_id]
    assert (own["verdict"], own["restored_records"]) == ("agrees", 2)
    assert all(each["counter_nano_usd"] >= before[each["budget_id"]] for each in own["budgets"])
    again = [row for row in headgate.all_pages("/api/v1/ledger", model=model) if row["endpoint"] == "restored"]
    assert [(row["key_id"], row["cause"], row["estimated"]) for row in again] == [(key.id, "lost", True)] * 2
    assert {row["end_user"] for row in again} == {"alice", "dora"}
    assert headgate.chat(model).status_code == 402
    assert headgate.as_key(key.secret).chat(sim_model()).status_code == 401
    assert verify(own_stack, "--state", str(own_stack.state.folder), command="reconcile").returncode == 0


def test_only_who_knows_the_secret_may_ask(own_stack: Stack, called: tuple[Headgate, str]) -> None:
    """401 for no token, a wrong, an expired or a too lasting one, and for an organisation's key."""
    headgate, now = called[0], datetime.now(UTC)
    secret = own_stack.state.secrets()["HEADGATE_SECRET"]
    tokens = [
        "hgo_",
        secret,
        headgate.key,
        new_token("x" * 32, now),
        new_token(secret, now - timedelta(minutes=10)),
        new_token(secret, now + timedelta(minutes=10)),
    ]
    for token in tokens:
        assert_error(headgate.as_key(token).get(CHECKS), 401, openai=False)
    assert headgate.http.get(own_stack.base_url + CHECKS).status_code == 401
    assert headgate.as_key(new_token(secret, now)).get(CHECKS).status_code == 200
    assert headgate.as_key(new_token(secret, now)).get("/api/v1/ledger").status_code == 401


def test_the_command_says_what_is_wrong(own_stack: Stack) -> None:
    """A wrong secret, none, no Headgate there, or an address that would show the token to everybody."""
    wrong = verify(own_stack, HEADGATE_SECRET="x" * 32)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "answers 401" in wrong.stderr
    none = verify(own_stack, "--state", str(own_stack.state.folder / "nothing"))
    assert "HEADGATE_SECRET must be set" in none.stderr
    secret = {"HEADGATE_SECRET": "x" * 32}
    assert "can't be asked" in verify(own_stack, "--url", "http://127.0.0.1:9", **secret).stderr
    assert "https" in verify(own_stack, "--url", "http://headgate.example.com", **secret).stderr
