"""Versions of things: ETags, and the conditions that name them (RFC 9110, 13)."""

from __future__ import annotations

import re

from lib.http.request import Headers
from lib.kernel.errors import BadRequest, PreconditionFailed, PreconditionRequired

_TAG = re.compile(r'\s*(?:W/)?"(\d{1,15})"\s*')


def etag(version: int) -> str:
    """Return the strong ETag of a version."""
    return f'"{version}"'


def not_modified(headers: Headers, version: int) -> bool:
    """Tell whether the client has this version already."""
    condition = headers.get("if-none-match")
    return condition is not None and (condition.strip() == "*" or version in _versions(condition, "If-None-Match"))


def required_match(headers: Headers, version: int | None) -> None:
    """Refuse a change by a client that has not seen `version`. Raises PreconditionRequired or PreconditionFailed."""
    condition = headers.get("if-match")
    if condition is None:
        raise PreconditionRequired("Say which version you change: send its ETag as If-Match.")
    check_match(headers, version)


def check_match(headers: Headers, version: int | None) -> None:
    """Refuse a change whose `If-Match` or `If-None-Match: *` does not hold; `version` is None where nothing is yet."""
    match = headers.get("if-match")
    if match is not None and (
        version is None or (match.strip() != "*" and version not in _versions(match, "If-Match"))
    ):
        raise PreconditionFailed()
    if (headers.get("if-none-match") or "").strip() == "*" and version is not None:
        raise PreconditionFailed("It exists already.")


def _versions(condition: str, name: str) -> list[int]:
    found = [_TAG.fullmatch(tag) for tag in condition.split(",")]
    if not all(found):
        raise BadRequest(f"{name} is not a list of ETags of ours.")
    return [int(tag[1]) for tag in found if tag]
