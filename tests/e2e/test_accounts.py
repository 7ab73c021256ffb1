"""People's accounts on the real runtime: what somebody can do, and learn, who is not signed in."""

from __future__ import annotations

import time

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.store import stored_bytes
from tools.seed import first_access, statements
from tools.stack import Stack

USERS = "/api/v1/users"
PASSWORD = "nine lives for cats"
TIMES = 3  # so many mails to one address are free: see lib.defence.guessing


def form(email: str, password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password": password, "name": "Alice"}


@pytest.mark.alone
@pytest.mark.once  # as all that is `alone`; either store takes a hundredth of what Argon2id takes
def test_signing_up_tells_nobody_who_is_here(headgate: Headgate, stack: Stack) -> None:
    """A new address and the administrator's get the same answer after the same time: Argon2id and one look.

    The shortest of each tells what the work takes; a longer one, who else had the processor. Each begins when what the
    one before has left to do behind its answer is done. A new address is also new to its guard, which takes 10 ms.
    """
    seen: dict[str, list[float]] = {"new": [], "known": []}
    answers = set()
    for _ in range(TIMES):
        for kind, email in (("new", f"{letters(12)}@wonder.example"), ("known", stack.admin_email)):
            time.sleep(0.7)
            started = time.perf_counter()
            answer = headgate.http.post(f"{headgate.base_url}{USERS}", json=form(email))
            seen[kind].append(time.perf_counter() - started)
            answers.add((answer.status_code, answer.json()["data"]["email"] == email, frozenset(answer.headers)))
    [(status, named, _)] = answers
    assert (status, named) == (202, True)
    assert 0.5 < min(seen["new"]) / min(seen["known"]) < 2


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("", form("no address"), 400, "invalid_request"),
        ("", form("a@wonder.example", "qwertyqwerty"), 422, "weak_password"),
        ("", form("a@wonder.example") | {"invitation": "x"}, 422, "invalid_invitation"),
        ("/actions/verify_email", {"token": "hgm_" + "a" * 38}, 422, "invalid_token"),
        ("/actions/reset_password", {"token": "hgm_" + "a" * 38, "password": "a good password"}, 422, "invalid_token"),
    ],
)
def test_what_is_wrong_is_told(headgate: Headgate, path: str, body: dict[str, str], status: int, code: str) -> None:
    """Without anybody's secret in the answer."""
    answer = headgate.http.post(f"{headgate.base_url}{USERS}{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert body.get("password", "a good password") not in answer.text


def test_a_password_is_stored_nowhere(headgate: Headgate, stack: Stack) -> None:
    """Only what Argon2id makes of it."""
    email, password = f"{letters(12)}@wonder.example", f"{letters(10)} {letters(10)}"
    assert headgate.http.post(f"{headgate.base_url}{USERS}", json=form(email, password)).status_code == 202
    deadline = time.monotonic() + 20
    while email.encode() not in (stored := stored_bytes(stack)):  # it is made behind the answer
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert b"$argon2id$v=19$m=19456,t=2,p=1," in stored
    assert password.encode() not in stored
    assert stack.admin_password.encode() not in stored


def test_a_key_is_nobodys_account(headgate: Headgate) -> None:
    """403 with a key that may do everything, 401 without one."""
    assert headgate.get("/api/v1/me").status_code == 403
    assert headgate.http.get(f"{headgate.base_url}/api/v1/me").status_code == 401


def test_a_deployments_administrator_chooses_its_password(headgate: Headgate, stack: Stack) -> None:
    """By the link that `./headgate seed` prints there: the running Worker takes it, once."""
    made = first_access(f"{letters(12)}@first.example")
    stack.target().execute(statements(made, stack.state.secrets()["HEADGATE_SECRET"]))
    body = {"token": made.set_password.partition("#token=")[2], "password": "chosen by its owner"}

    def ask(path: str, sent: dict[str, str]) -> int:
        return headgate.http.post(f"{headgate.base_url}/api/v1/{path}", json=sent).status_code

    assert ask("users/actions/reset_password", body) == 204
    assert ask("users/actions/reset_password", body) == 422
    signing_in = {"grant_type": "password", "email": made.admin_email, "password": body["password"]}
    assert ask("tokens", signing_in) == 200
    assert headgate.as_key(made.api_key).get("/api/v1/orgs/current").json()["data"]["id"] == made.org_id
