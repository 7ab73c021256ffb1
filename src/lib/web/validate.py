"""The first stage: from a raw request to one whose parts match its route's declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from lib.http.memory import size_of_parsed
from lib.http.request import Known, RawRequest, Validated
from lib.kernel import json_body
from lib.kernel.errors import BadRequest, UnsupportedMediaType, UriTooLong
from lib.web.operation import NoQuery
from lib.web.route import Route

FORM = "application/x-www-form-urlencoded"
MOST_URI_CHARACTERS = 8 * 1024
MOST_QUERY_FIELDS = 50
LARGE_BYTES = 256 * 1024  # below this nobody looks how wide a body's characters are, or first who sends it
_NO_QUERY = NoQuery()


async def validate(route: Route, raw: RawRequest, path: Mapping[str, str], known: Known) -> Validated[Any, Any]:
    """Return the validated request. Raises the errors with status 400, 408, 413, 414 and 415, and what `known` raises:
    see `BodyReader`.
    """
    query = _query(route, raw.query)
    parsed: dict[str, object] = {}
    body: BaseModel | None = None
    if route.body is not None:
        read = _read_form if route.form else _read_json
        parsed, body = _body(route.body, await read(route, raw, known))
    return Validated(
        id=raw.id,
        body=body,
        query=query,
        headers=raw.headers,
        client=raw.client,
        path=path,
        json=parsed,
        head_only=raw.method == "HEAD",
        share=raw.share,
    )


def check_uri(raw: RawRequest) -> None:
    """Refuse an address that is longer than anything of ours can be."""
    if len(raw.path) + len(raw.query) > MOST_URI_CHARACTERS:
        raise UriTooLong(f"The path and query are over {MOST_URI_CHARACTERS} characters.")


def _query(route: Route, query: str) -> BaseModel:
    if not query and route.query is NoQuery:
        return _NO_QUERY
    try:
        return route.query.model_validate(_fields(query, "query") if query else {})
    except ValidationError as error:
        raise _bad_request(error, "query") from None


def _fields(text: str, where: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_QUERY_FIELDS))
    except ValueError:  # bad UTF-8 or too many fields
        raise BadRequest(f"The {where} is malformed.") from None


async def _read_form(route: Route, raw: RawRequest, known: Known) -> dict[str, str]:
    content_type = (raw.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if content_type != FORM:
        raise UnsupportedMediaType(f"The body must have the content type {FORM}.")
    return _fields((await raw.body.read(route.max_body_bytes, known)).decode("ascii", "replace"), "body")


async def _read_json(route: Route, raw: RawRequest, known: Known) -> object:
    """Return the body's value. A request with neither a body nor a content type means an empty object."""
    content_type = raw.headers.get("content-type")
    if content_type is not None and content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType("The body must have the content type application/json.")
    body = await raw.body.read(route.max_body_bytes, known)
    if len(body) > LARGE_BYTES:
        raw.share.claim(len(body) + size_of_parsed(body))
    if body and content_type is None:
        raise UnsupportedMediaType("The body must have the content type application/json.")
    return json_body.parse(body or b"{}")


def _body(model: type[BaseModel], parsed: object) -> tuple[dict[str, object], BaseModel]:
    if not isinstance(parsed, dict):
        raise BadRequest("The body must be a JSON object.")
    try:
        return parsed, model.model_validate(parsed)
    except ValidationError as error:
        raise _bad_request(error, "body") from None


def _bad_request(error: ValidationError, where: str) -> BadRequest:
    """Tell which fields are wrong and why, never what they held: that may be a secret, or somebody's private text."""
    details = [
        {"field": ".".join(str(part) for part in problem["loc"])[:200], "message": problem["msg"][:200]}
        for problem in error.errors(include_url=False, include_input=False, include_context=False)[:10]
    ]
    first = details[0]
    return BadRequest(
        f"The {where} is not valid: {first['field'] or where}: {first['message']}.",
        param=first["field"] or None,
        details=details,
    )
