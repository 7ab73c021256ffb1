"""Credentials: what is no key of ours is a 401, before anything else is looked at."""

from __future__ import annotations

import json

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.log import after
from tests.e2e.support.raw import Connection
from tests.e2e.support.shapes import assert_error
from tools.stack import Stack

KEY_LIKE = "hg_" + "0" * 38
ABSURD = [
    *(
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Basic YTpi",
        "Bearer null",
        "Bearer hg_\t\t",
        "bearer ' OR 1=1 --",
        KEY_LIKE,
    ),
    *(f"Bearer {KEY_LIKE}", f"Token {KEY_LIKE}", f"Bearer {KEY_LIKE}, Bearer {KEY_LIKE}"),
    *("Bearer " + "A" * 8000, "Bearer 😀", "Bearer \x80\xff", "Bearer hg_" + "é" * 38),
]


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/keys"])
def test_an_absurd_credential(headgate: Headgate, path: str, value: str) -> None:
    """What is no key of ours is a 401 that says how to send one, and does not repeat it."""
    content = json.dumps(chat_body("sim/chat"))
    with Connection(headgate.base_url) as connection:
        lines = [f"POST {path} HTTP/1.1", f"host: {connection.host}", f"authorization: {value}"]
        lines += ["content-type: application/json", f"content-length: {len(content)}", "", content]
        connection.send("\r\n".join(lines).encode())
        head = connection.head()
        body = connection.body(head).decode()

    assert head.status == 401
    assert head.headers["www-authenticate"].startswith("Bearer")
    assert json.loads(body)["error"]["code"] in {"invalid_api_key", "missing_api_key"}
    assert KEY_LIKE not in body
    assert len(body) < 1000


def test_a_credential_in_the_wrong_place(headgate: Headgate, stack: Stack) -> None:
    """A key in the query is no credential, and is neither repeated nor logged."""
    made_up = "hg_InTheQueryWhereNoKeyBelongs0123456789"

    answer = headgate.http.get(f"{headgate.base_url}/v1/models", params={"api_key": made_up, "key": headgate.key})

    assert_error(answer, 401, openai=True)
    assert made_up not in answer.text
    ours = [line for line in after(stack, answer).splitlines() if line.startswith("{")]
    assert not [line for line in ours if made_up in line]
