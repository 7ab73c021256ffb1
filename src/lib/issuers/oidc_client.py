"""Asking identity providers over HTTP.

What comes from there is somebody else's: it has a size, a time and a shape, or it is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from lib.kernel import json_body
from lib.kernel.errors import BadRequest

# Of one call, whole. The client is made with them.
TIMEOUT_SECONDS = 10
MOST_BYTES = 256 * 1024

_JSON = {"accept": "application/json"}


class ProviderFailure(Exception):
    """An identity provider can't be reached, or what it says is not what it must say. The message is for the log."""


async def get(http: httpx.AsyncClient, url: str, what: str, access_token: str | None = None) -> Any:
    """Return the JSON that an address answers. Raises ProviderFailure, with `what` was asked for."""
    if access_token is not None and not (access_token.isascii() and access_token.isprintable()):
        raise ProviderFailure(f"{what}: an access token that no header can carry")
    bearer = {"authorization": f"Bearer {access_token}"} if access_token else {}
    return await _json(http, "GET", url, what, headers=_JSON | bearer)


async def post(
    http: httpx.AsyncClient, url: str, what: str, form: Mapping[str, str], auth: httpx.Auth | None = None
) -> Any:
    """Return the JSON that an address answers to a form. Raises ProviderFailure."""
    return await _json(http, "POST", url, what, headers=_JSON, data=form, auth=auth)


async def _json(http: httpx.AsyncClient, method: str, url: str, what: str, **sent: Any) -> Any:
    try:
        answer = await http.request(method, url, **sent)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderFailure(f"{what}: {type(error).__name__}: {error}") from None
    if answer.status_code != 200:
        raise ProviderFailure(f"{what}: status {answer.status_code}")
    try:
        return json_body.parse(answer.content)
    except BadRequest:
        raise ProviderFailure(f"{what}: not JSON") from None


def object_of(value: object, what: str) -> dict[str, Any]:
    """Return a JSON object. Raises ProviderFailure for anything else."""
    if not isinstance(value, dict):
        raise ProviderFailure(f"{what}: not an object")
    return value


def text_of(value: Mapping[str, Any], name: str, most: int) -> str | None:
    """Return a member that is a text of 1 to `most` characters; None for anything else."""
    found = value.get(name)
    return found if isinstance(found, str) and 1 <= len(found) <= most else None
