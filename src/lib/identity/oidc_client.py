"""The HTTP client towards identity providers, as the core sees it. `lib.runtime` has the real one.

What comes from there is somebody else's: it has a size, a time and a shape, or it is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lib.http import json_body
from lib.http.errors import BadRequest

TIMEOUT_SECONDS = 10
MOST_BYTES = 256 * 1024


class ProviderFailure(Exception):
    """An identity provider can't be reached, or what it says is not what it must say. The message is for the log."""


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """An answer, read whole."""

    status: int
    body: bytes


class ProviderHttp(Protocol):
    """Asks identity providers, for TIMEOUT_SECONDS and MOST_BYTES at most. It follows no redirect: one would lead to
    where nobody has configured, and could carry a secret there. All methods raise ProviderFailure.
    """

    async def get(self, url: str, headers: Mapping[str, str]) -> ProviderAnswer: ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> ProviderAnswer: ...


def parsed(answer: ProviderAnswer, what: str) -> Any:
    """Return the JSON of a good answer. Raises ProviderFailure, with `what` was asked for."""
    if answer.status != 200:
        raise ProviderFailure(f"{what}: status {answer.status}")
    try:
        return json_body.parse(answer.body)
    except BadRequest:
        raise ProviderFailure(f"{what}: not JSON") from None


def parsed_object(answer: ProviderAnswer, what: str) -> dict[str, Any]:
    """Return the JSON object of a good answer. Raises ProviderFailure."""
    value = parsed(answer, what)
    if not isinstance(value, dict):
        raise ProviderFailure(f"{what}: not an object")
    return value


def text_of(value: Mapping[str, Any], name: str, most: int) -> str | None:
    """Return a member that is a text of 1 to `most` characters; None for anything else."""
    found = value.get(name)
    return found if isinstance(found, str) and 1 <= len(found) <= most else None
