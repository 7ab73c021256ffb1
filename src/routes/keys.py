"""`/api/v1/keys`: the API keys of an organisation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lib.http import etag, render
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import NoQuery, Route
from lib.identity import key_service, key_store
from lib.identity.key_store import KeyRow
from lib.identity.models import INFERENCE_SCOPES, Principal, Scope
from lib.services import Services
from lib.text import PRINTABLE
from routes.schemas import RECENT, One, Page, Time

_AFTER_ALL = "~"  # sorts behind every id
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=PRINTABLE)]


class CreateKey(BaseModel):
    """A key to make. Without `scopes` it may call models and list them, and nothing more."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = list(INFERENCE_SCOPES)
    expires_at: Time | None = None


class UpdateKey(BaseModel):
    """What to change of a key; what is not named stays."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    expires_at: Time | None = None


class RotateKey(BaseModel):
    """How long the old key still works. A day, where nothing is said."""

    model_config = ConfigDict(extra="forbid")
    overlap_seconds: Annotated[int, Field(ge=0, le=int(key_service.LONGEST_OVERLAP.total_seconds()))] = 86_400


class Key(BaseModel):
    """A key. `prefix` is the start of its secret, to recognise it by."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    prefix: str
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by_key_id: str | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime


class KeyWithSecret(Key):
    """A key that was just made. `secret` is told this once."""

    secret: str


async def list_keys(services: Services, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List keys, newest first, revoked ones included."""
    [before] = decode_cursor(request.query.cursor, [_AFTER_ALL])
    rows = await key_store.list_keys(services.database, principal.org_id, before, request.query.limit + 1)
    shown, more = cut(rows, request.query.limit, lambda row: [row.id])
    return render.page([_key(row) for row in shown], more)


async def create_key(services: Services, request: Validated[CreateKey, NoQuery], principal: Principal) -> Response:
    """Make a key."""
    body = request.body
    row, secret = await key_service.create(services, principal, body.name, body.scopes, body.expires_at)
    return _made(row, secret)


async def get_key(services: Services, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one key."""
    row = await key_service.get(services, principal, request.path["id"])
    if etag.not_modified(request.headers, row.version):
        return Response(304, {"etag": etag.etag(row.version)})
    return _shown(row)


async def update_key(services: Services, request: Validated[UpdateKey, NoQuery], principal: Principal) -> Response:
    """Change a key's name or end."""
    row = await key_service.get(services, principal, request.path["id"])
    etag.required_match(request.headers, row.version)
    fields = request.body.model_fields_set
    name = request.body.name or row.name
    expires_at = request.body.expires_at if "expires_at" in fields else row.expires_at
    return _shown(await key_service.update(services, principal, row, name, expires_at))


async def rotate_key(services: Services, request: Validated[RotateKey, NoQuery], principal: Principal) -> Response:
    """Make a key that takes another's place."""
    overlap = timedelta(seconds=request.body.overlap_seconds)
    row, secret = await key_service.rotate(services, principal, request.path["id"], overlap)
    return _made(row, secret)


async def revoke_key(services: Services, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Revoke a key."""
    await key_service.revoke(services, principal, request.path["id"])
    return render.no_content()


def _key(row: KeyRow) -> Key:
    return Key.model_validate(_fields(row))


def _shown(row: KeyRow) -> Response:
    return render.data(_key(row), headers={"etag": etag.etag(row.version)})


def _made(row: KeyRow, secret: str) -> Response:
    headers = {"etag": etag.etag(row.version), "location": f"/api/v1/keys/{row.id}"}
    return render.data(KeyWithSecret.model_validate({**_fields(row), "secret": secret}), status=201, headers=headers)


def _fields(row: KeyRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Key.model_fields} | {"scopes": sorted(row.scopes)}


ROUTES = [
    Route(
        method="GET",
        path="/api/v1/keys",
        handler=list_keys,
        summary="List API keys",
        description=RECENT,
        responses={200: Page[Key]},
        permission=Scope.KEYS_READ,
        query=PageQuery,
    ),
    Route(
        method="POST",
        path="/api/v1/keys",
        handler=create_key,
        summary="Make an API key",
        description="The answer's `data.secret` is the key. It is told this once and not stored.",
        responses={201: One[KeyWithSecret]},
        permission=Scope.KEYS_WRITE,
        body=CreateKey,
        idempotent=True,
    ),
    Route(
        method="GET",
        path="/api/v1/keys/{id}",
        handler=get_key,
        summary="Show an API key",
        responses={200: One[Key], 304: None},
        permission=Scope.KEYS_READ,
    ),
    Route(
        method="PATCH",
        path="/api/v1/keys/{id}",
        handler=update_key,
        summary="Change an API key",
        description="Needs `If-Match` with the key's ETag.",
        responses={200: One[Key]},
        permission=Scope.KEYS_WRITE,
        body=UpdateKey,
        errors=(409, 412, 422, 428),
    ),
    Route(
        method="DELETE",
        path="/api/v1/keys/{id}",
        handler=revoke_key,
        summary="Revoke an API key",
        description="It is refused from the answer on, everywhere.",
        responses={204: None},
        permission=Scope.KEYS_WRITE,
    ),
    Route(
        method="POST",
        path="/api/v1/keys/{id}/actions/rotate",
        handler=rotate_key,
        summary="Rotate an API key",
        description="Makes a key with the same name and scopes. The old one works for `overlap_seconds` more.",
        responses={201: One[KeyWithSecret]},
        permission=Scope.KEYS_WRITE,
        body=RotateKey,
        idempotent=True,
    ),
]
