"""The one place that turns results and errors into answers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from lib.http import json_body
from lib.http.errors import HeadgateError
from lib.http.response import Finish, Response
from lib.http.route import Dialect

JSON = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}

# What OpenAI calls the kinds of errors: https://platform.openai.com/docs/guides/error-codes/api-errors
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def data(value: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one thing, in the management API's envelope."""
    return Response(status, {**JSON, **(headers or {})}, json_body.dump({"data": value, "meta": {}}))


def page(values: list[BaseModel], next_cursor: str | None) -> Response:
    """Answer with one page of a list. `meta.next_cursor` is null on the last page."""
    return Response(200, JSON, json_body.dump({"data": values, "meta": {"next_cursor": next_cursor}}))


def bare(value: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one thing and no envelope, as the AI API does."""
    return Response(status, {**JSON, **(headers or {})}, json_body.dump(value))


def no_content(finish: Finish | None = None) -> Response:
    """Answer that it is done, with nothing to tell; `finish` is what remains."""
    return Response(204, {"cache-control": "no-store"}, finish=finish)


def openai_type(status: int) -> str:
    """Return what OpenAI calls errors of a status."""
    return _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def error(failure: HeadgateError, dialect: Dialect, request_id: str) -> Response:
    """Answer with an error in the shape of the API that was called."""
    if dialect is Dialect.OPENAI:
        body: dict[str, object] = {
            "message": failure.message,
            "type": openai_type(failure.status),
            "param": failure.param,
            "code": failure.code,
            **({"details": failure.details} if failure.details else {}),
        }
    else:
        body = {
            "code": failure.code,
            "message": failure.message,
            "details": failure.details,
            "request_id": request_id,
        }
    headers = {**JSON, **failure.headers}
    facts = {"error_code": failure.code, **failure.facts}
    return Response(failure.status, headers, json_body.dump({"error": body}), facts, failure.finish)
