"""The first stage: what does not match its route's declaration is refused, and the refusal tells no secrets."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from lib.http.request import RawRequest, Validated
from lib.http.response import Response
from lib.kernel.errors import BadRequest, HeadgateError, PayloadTooLarge, UnsupportedMediaType, UriTooLong
from lib.web.operation import NoQuery
from lib.web.route import Route
from lib.web.validate import MOST_URI_CHARACTERS, check_uri, validate
from tests.unit.fakes import FakeBody, known, raw_request, run


class Thing(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=5)]
    size: int = 1
    parts: list[int] = []


class Wanted(BaseModel):
    """A query."""

    model_config = ConfigDict(extra="forbid")
    limit: int = 20
    word: str | None = None


async def answer(*_: object) -> Response:
    """Answer nothing."""
    return Response(204)


def route(body: type[BaseModel] | None = Thing, query: type[BaseModel] = NoQuery, most: int = 1000) -> Route:
    return Route(
        method="POST", path="/things", handler=answer, summary="", responses={}, permission=None,
        body=body, query=query, max_body_bytes=most,
    )  # fmt: skip


JSON = {"content-type": "application/json"}


def checked(raw: RawRequest, declared: Route | None = None) -> Validated[Thing, Wanted]:
    return run(validate(declared or route(), raw, {"id": "7"}, known))


def refused(raw: RawRequest, declared: Route | None = None) -> HeadgateError:
    with pytest.raises(HeadgateError) as caught:
        checked(raw, declared)
    return caught.value


def test_a_body_is_read_into_its_model_and_kept_as_it_came() -> None:
    """The handler gets the model, the JSON as sent, and the path's parameters."""
    request = checked(raw_request("POST", "/things", b'{"name":"a"}', JSON))
    assert request.body == Thing(name="a")
    assert request.json == {"name": "a"}
    assert request.path == {"id": "7"}


def test_a_body_without_a_model_is_not_read() -> None:
    """A route that takes no body does not spend time on one."""
    raw = raw_request("POST", "/things", b"x" * 5000)
    checked(raw, route(body=None))
    assert isinstance(raw.body, FakeBody)
    assert raw.body.reads == 0


def test_no_body_means_an_empty_object() -> None:
    """A POST whose fields are all optional needs neither a body nor a content type."""
    assert checked(raw_request("POST", "/things"), route(body=Wanted)).json == {}
    assert refused(raw_request("POST", "/things")).param == "name"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", " application/json ;x=y"]
)
def test_json_is_json_however_it_is_announced(kind: str) -> None:
    """Media types are case-insensitive and may have parameters (RFC 9110, 8.3.1)."""
    assert checked(raw_request("POST", "/", b'{"name":"a"}', {"content-type": kind})).body.name == "a"


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonp", "", "json", "application/json, text/html"])
def test_another_content_type_is_refused_unread(kind: str) -> None:
    """A browser's form posts text/plain without asking, so it is not taken for JSON; and the body is not even read."""
    raw = raw_request("POST", "/", b'{"name":"a"}', {"content-type": kind})
    assert isinstance(refused(raw), UnsupportedMediaType)
    assert isinstance(raw.body, FakeBody)
    assert raw.body.reads == 0


def test_a_body_without_content_type_is_refused() -> None:
    """What is not announced as JSON is not guessed to be."""
    assert isinstance(refused(raw_request("POST", "/", b'{"name":"a"}')), UnsupportedMediaType)


def test_a_body_over_the_routes_cap_is_refused() -> None:
    """The reader is given the route's own limit."""
    body = b'{"name":"' + b"a" * 50 + b'"}'
    assert isinstance(refused(raw_request("POST", "/", body, JSON), route(most=10)), PayloadTooLarge)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_a_body_is_an_object(body: bytes) -> None:
    """Any other JSON value is refused."""
    assert refused(raw_request("POST", "/", body, JSON)).message == "The body must be a JSON object."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "name"),
        (b'{"name":1}', "name"),
        (b'{"name":"a","size":"big"}', "size"),
        (b'{"name":"a","parts":[1,"x"]}', "parts.1"),
        (b'{"name":"a","more":1}', "more"),
    ],
)
def test_an_error_names_the_field(body: bytes, field: str) -> None:
    """`param` and `details` tell which field is wrong."""
    failure = refused(raw_request("POST", "/", body, JSON))
    assert isinstance(failure, BadRequest)
    assert failure.param == field
    assert [detail["field"] for detail in failure.details] == [field]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=6).filter(lambda text: len(text.strip()) > 5))
def test_an_error_does_not_quote_the_value(secret: str) -> None:
    """A wrong value may be a password in the wrong field."""
    failure = refused(raw_request("POST", "/", Thing.model_construct(name=secret).model_dump_json().encode(), JSON))
    assert secret not in failure.message
    assert all(secret not in str(detail["message"]) for detail in failure.details)


def test_an_error_is_bounded() -> None:
    """A body with thousands of mistakes, or a field with an endless name, makes no endless answer."""
    many = b'{"name":"a","parts":[' + b",".join([b'"x"'] * 900) + b"]}"
    failure = refused(raw_request("POST", "/", many, JSON), route(most=10_000))
    assert len(failure.details) == 10
    long = refused(raw_request("POST", "/", b'{"name":"a","' + b"f" * 900 + b'":1}', JSON), route(most=10_000))
    assert len(long.message) < 500


def test_a_query_is_read_into_its_model() -> None:
    """Plus signs and percent signs are decoded, and numbers are read."""
    request = checked(raw_request("POST", "/x?limit=5&word=a+b%26c", b'{"name":"a"}', JSON), route(query=Wanted))
    assert request.query == Wanted(limit=5, word="a b&c")


def test_an_empty_value_is_a_value() -> None:
    """`?word=` is the empty text."""
    assert checked(raw_request("POST", "/x?word=", b'{"name":"a"}', JSON), route(query=Wanted)).query.word == ""


@pytest.mark.parametrize("query", ["limit=many", "limit=", "unknown=1", "word=%ff", "word=%ed%a0%80"])
def test_a_wrong_query_is_refused(query: str) -> None:
    """Wrong types, unknown fields and bytes that are not UTF-8."""
    assert isinstance(refused(raw_request("POST", f"/x?{query}"), route(body=None, query=Wanted)), BadRequest)


def test_a_query_of_countless_fields_is_refused() -> None:
    """Parsing is bounded before the fields are looked at."""
    query = "&".join(f"f{number}=1" for number in range(51))
    assert isinstance(refused(raw_request("POST", f"/x?{query}"), route(body=None)), BadRequest)


def test_a_query_is_checked_before_the_body_is_read() -> None:
    """The cheap part first."""
    raw = raw_request("POST", "/x?unknown=1", b'{"name":"a"}', JSON)
    refused(raw, route(query=Wanted))
    assert isinstance(raw.body, FakeBody)
    assert raw.body.reads == 0


def test_an_endless_address_is_refused() -> None:
    """Path and query together have one cap."""
    check_uri(raw_request("GET", "/" + "a" * (MOST_URI_CHARACTERS - 1)))
    with pytest.raises(UriTooLong):
        check_uri(raw_request("GET", "/" + "a" * 4096 + "?" + "b" * 4096))
