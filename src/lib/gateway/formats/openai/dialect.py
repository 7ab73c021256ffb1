"""How OpenAI's API speaks, whatever its format.

Source: https://platform.openai.com/docs/guides/error-codes/api-errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lib.http.dialect import Dialect
from lib.kernel.errors import HeadgateError

# What it calls the kinds of errors.
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class OpenAIError(BaseModel):
    """An error of the AI API, as OpenAI's clients expect it. `details` are ours, where there are any."""

    message: str
    type: str
    param: str | None
    code: str | None
    details: list[dict[str, Any]] = []


class OpenAIErrorBody(BaseModel):
    """The body of an error of the AI API."""

    error: OpenAIError


def _error(failure: HeadgateError, _: str) -> Mapping[str, object]:
    status = failure.status
    told = {
        "message": failure.message,
        "type": _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
        "param": failure.param,
        "code": failure.code,
    }
    return {"error": {**told, "details": failure.details} if failure.details else told}


OPENAI = Dialect(
    "/v1",
    _error,
    OpenAIErrorBody,
    kept=frozenset({"openai-model", "openai-processing-ms", "openai-version"}),
    from_pages=True,
    tag="AI",
)
