"""How an API speaks to its clients: the shape of its errors, and which headers are its own.

The management API's is here. Those of wire formats are with them (`lib.gateway.formats`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from lib.kernel.errors import HeadgateError


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """How the paths below `prefix` speak, known routes or not.

    `error` makes the body of an error, given the request's id, and `error_body` is its model. `kept` are headers of its
    own that reach a client from a provider. `from_pages`: pages of any origin may call it, with a browser's key. `tag`
    is what the OpenAPI document lists its routes under; "" where that is told by who may call them.
    """

    prefix: str
    error: Callable[[HeadgateError, str], Mapping[str, object]]
    error_body: type[BaseModel]
    kept: frozenset[str] = frozenset()
    from_pages: bool = False
    tag: str = ""


class ErrorDetail(BaseModel):
    """One field that is wrong."""

    field: str
    message: str


class HeadgateErrorInfo(BaseModel):
    """An error of the management API. `code` is for programs, `message` for people."""

    code: str
    message: str
    details: list[ErrorDetail]
    request_id: str


class HeadgateErrorBody(BaseModel):
    """The body of an error of the management API."""

    error: HeadgateErrorInfo


def _error(failure: HeadgateError, request_id: str) -> Mapping[str, object]:
    return {
        "error": {
            "code": failure.code,
            "message": failure.message,
            "details": failure.details,
            "request_id": request_id,
        }
    }


HEADGATE = Dialect("", _error, HeadgateErrorBody)
