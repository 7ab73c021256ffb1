"""The guard on the real runtime: what one asks for again and again is refused, with a time, and others are not."""

from __future__ import annotations

import httpx

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.log import after
from tests.e2e.support.names import letters
from tools.stack import Stack

RESET = "/api/v1/users/actions/request_password_reset"


def ask(headgate: Headgate, email: str) -> httpx.Response:
    return headgate.http.post(headgate.base_url + RESET, json={"email": email})


def test_asking_too_often_is_refused_for_a_time(headgate: Headgate, stack: Stack) -> None:
    """Three mails to one address, then a wait; another address is not concerned. Nobody's address is in the log."""
    email = f"{letters(12)}@wonder.example"
    assert [ask(headgate, email).status_code for _ in range(3)] == [202] * 3
    refused = ask(headgate, email)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_attempts")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert ask(headgate, f"{letters(12)}@wonder.example").status_code == 202
    assert email not in after(stack, refused)


def test_what_was_counted_outlives_the_process(headgate: Headgate, stack: Stack) -> None:
    """A crash is no way around a wait. Where starting again took longer than that, the next one is refused at once."""
    email = f"{letters(12)}@wonder.example"
    assert [ask(headgate, email).status_code for _ in range(3)] == [202] * 3
    stack.kill()
    stack.start()
    assert 429 in [ask(headgate, email).status_code for _ in range(2)]
