"""Results and errors as answers, in both dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.dialect import HEADGATE, Dialect
from lib.http.response import LogFacts, Response
from lib.kernel.errors import (
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    HeadgateError,
    InternalError,
    NotFound,
    Unauthorized,
    Unavailable,
)
from lib.web import render


class Thing(BaseModel):
    """Something to show."""

    name: str


def body(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_one_thing_comes_in_the_envelope() -> None:
    """`{"data": …, "meta": {}}`, with the headers that the handler adds."""
    response = render.data(Thing(name="é"), status=201, headers={"etag": '"1"'})
    assert (response.status, body(response)) == (201, {"data": {"name": "é"}, "meta": {}})
    assert response.headers["etag"] == '"1"'


@pytest.mark.parametrize("cursor", [None, "abc"])
def test_a_page_tells_where_the_next_begins(cursor: str | None) -> None:
    """`meta.next_cursor` is always there, and null on the last page."""
    assert body(render.page([Thing(name="a")], cursor)) == {"data": [{"name": "a"}], "meta": {"next_cursor": cursor}}
    assert body(render.page([], cursor))["data"] == []


def test_the_ai_api_has_no_envelope() -> None:
    """OpenAI's clients read the thing itself."""
    assert body(render.bare(Thing(name="a"))) == {"name": "a"}


def test_nothing_has_no_body() -> None:
    """204 has neither a body nor a content type (RFC 9110, 15.3.5)."""
    response = render.no_content()
    assert (response.status, response.body) == (204, None)
    assert "content-type" not in response.headers


@pytest.mark.parametrize(
    "response",
    [
        render.data(Thing(name="a")),
        render.page([], None),
        render.bare(Thing(name="a")),
        render.no_content(),
        render.error(NotFound("x"), HEADGATE, "r"),
        render.error(NotFound("x"), OPENAI, "r"),
    ],
)
def test_answers_are_not_cached(response: Response) -> None:
    """They are somebody's own, and may hold a secret; header names are lower case."""
    assert response.headers["cache-control"] == "no-store"
    assert all(name == name.lower() for name in response.headers)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (BadRequest("x"), "invalid_request_error"),
        (Unauthorized("x"), "authentication_error"),
        (Forbidden("x"), "permission_error"),
        (NotFound("x"), "invalid_request_error"),
        (Conflict("x"), "invalid_request_error"),
        (BadGateway("x"), "server_error"),
        (Unavailable("x"), "server_error"),
        (InternalError(), "server_error"),
    ],
)
def test_openais_clients_get_openais_errors(failure: HeadgateError, kind: str) -> None:
    """Exactly the four members that the SDKs read, with OpenAI's names of the types."""
    response = render.error(failure, OPENAI, "req-1")
    assert response.status == failure.status
    assert body(response) == {
        "error": {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code}
    }


def test_ours_have_a_code_details_and_the_request_id() -> None:
    """The management API's shape."""
    failure = BadRequest("wrong", param="name", details=[{"field": "name", "message": "too long"}])
    assert body(render.error(failure, HEADGATE, "req-1")) == {
        "error": {
            "code": "invalid_request",
            "message": "wrong",
            "details": [{"field": "name", "message": "too long"}],
            "request_id": "req-1",
        }
    }


@pytest.mark.parametrize("dialect", [OPENAI, HEADGATE])
def test_an_errors_headers_and_its_work_go_on(dialect: Dialect) -> None:
    """Retry-After reaches the client, the code reaches the log, and what is left to do is done."""

    async def finish() -> LogFacts:
        return {}

    failure = Unavailable("x", retry_after_seconds=3)
    failure.finish = finish
    response = render.error(failure, dialect, "r")
    assert response.headers["retry-after"] == "3"
    assert response.headers["content-type"] == "application/json"
    assert response.facts == {"error_code": "unavailable"}
    assert response.finish is finish
