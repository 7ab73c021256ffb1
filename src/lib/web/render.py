"""The one place that turns results and errors into answers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from lib.http import etag
from lib.http.dialect import Dialect
from lib.http.response import Finish, Response
from lib.kernel import json_body
from lib.kernel.errors import HeadgateError

JSON = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}


def data(value: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one thing, in the management API's envelope."""
    return Response(status, {**JSON, **(headers or {})}, json_body.dump({"data": value, "meta": {}}))


def versioned(value: BaseModel, version: int, status: int = 200, place: str = "") -> Response:
    """Answer with one thing and its version, as its ETag; with 201 also with its `place`, the path of what was made."""
    made = {"location": place} if status == 201 and place else {}
    return data(value, status=status, headers={"etag": etag.etag(version), **made})


def page(values: list[BaseModel], next_cursor: str | None) -> Response:
    """Answer with one page of a list. `meta.next_cursor` is null on the last page."""
    return Response(200, JSON, json_body.dump({"data": values, "meta": {"next_cursor": next_cursor}}))


def bare(value: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one thing and no envelope, as the AI API does."""
    return Response(status, {**JSON, **(headers or {})}, json_body.dump(value))


def no_content(finish: Finish | None = None) -> Response:
    """Answer that it is done, with nothing to tell; `finish` is what remains."""
    return Response(204, {"cache-control": "no-store"}, finish=finish)


def error(failure: HeadgateError, dialect: Dialect, request_id: str) -> Response:
    """Answer with an error in the shape of the API that was called."""
    headers = {**JSON, **failure.headers}
    facts = {"error_code": failure.code, **failure.facts}
    return Response(failure.status, headers, json_body.dump(dialect.error(failure, request_id)), facts, failure.finish)
