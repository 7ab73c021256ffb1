"""`/api/v1/keys`: the API keys of an organisation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.access.bounds import Bounds
from lib.access.principal import INFERENCE_SCOPES, Permission, Principal
from lib.http import etag
from lib.http.paging import PageQuery, page_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.keys import key_service
from lib.keys.key_store import KEYS, Descendants
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, change, make, read, remove
from routes.api.key_schemas import IpRanges, Key, KeyKind, KeyWithSecret, Models, key_made, key_of, key_shown
from routes.schemas import RECENT, Name, One, Page, Time


class KeysQuery(PageQuery):
    """Which keys: those that servers hold, where nothing is said."""

    kind: Annotated[
        KeyKind, Field(description="`browser`: minted for end users; `person`: what members' own calls are counted on")
    ] = KeyKind.SERVER


class CreateKey(BaseModel):
    """A key to make. Without `scopes` it may call models and list them, and nothing more.

    With `models` it may call those alone, as clients name them, and knows of no others; with `ip_ranges` (CIDR, IPv4
    and IPv6) it works from there alone. Its calls count for the team `team_id`. Where one of these is not said, the
    making key's holds; and they can't be wider than that.
    """

    model_config = ConfigDict(extra="forbid")
    name: Name
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))] = list(INFERENCE_SCOPES)
    expires_at: Time | None = None
    models: Models | None = None
    ip_ranges: IpRanges | None = None
    team_id: Annotated[str, Field(max_length=36)] | None = None


class UpdateKey(BaseModel):
    """What to change of a key; what is not named stays. `null` takes an end, or what it is bound to, away."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    expires_at: Time | None = None
    models: Models | None = None
    ip_ranges: IpRanges | None = None


class RevokeQuery(BaseModel):
    """What ends with the key."""

    model_config = ConfigDict(extra="forbid")
    descendants: Annotated[
        Literal["keep", "revoke"] | None,
        Field(
            description="`keep`: nothing else; `revoke`: all that was made or minted with it, and with those."
            " Where nothing is said, the browsers' keys that were minted with it"
        ),
    ] = None


class RotateKey(BaseModel):
    """How long the old key still works. A day, where nothing is said."""

    model_config = ConfigDict(extra="forbid")
    overlap_seconds: Annotated[int, Field(ge=0, le=int(key_service.LONGEST_OVERLAP.total_seconds()))] = 86_400


async def list_keys(parts: App, request: Validated[None, KeysQuery], principal: Principal) -> Response:
    """List keys of one kind, newest first, revoked ones included."""
    kind = request.query.kind
    shown, more = await page_of(KEYS, parts.database, principal.org_id, request.query, " AND kind = ?", kind)
    return render.page([key_of(row) for row in shown], more)


async def create_key(parts: App, request: Validated[CreateKey, NoQuery], principal: Principal) -> Response:
    """Make a key."""
    body = request.body
    row, secret = await key_service.create(
        parts,
        principal,
        body.name,
        body.scopes,
        body.expires_at,
        Bounds(_set(body.models), _set(body.ip_ranges)),
        body.team_id,
    )
    return key_made(row, secret)


async def get_key(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one key."""
    row = await key_service.get(parts, principal, request.path["id"])
    if etag.not_modified(request.headers, row.version):
        return Response(304, {"etag": etag.etag(row.version)})
    return key_shown(row)


async def update_key(parts: App, request: Validated[UpdateKey, NoQuery], principal: Principal) -> Response:
    """Change a key's name or end."""
    row = await key_service.get(parts, principal, request.path["id"])
    etag.required_match(request.headers, row.version)
    fields = request.body.model_fields_set
    name = request.body.name or row.name
    expires_at = request.body.expires_at if "expires_at" in fields else row.expires_at
    models = _set(request.body.models) if "models" in fields else row.model_names
    ip_ranges = _set(request.body.ip_ranges) if "ip_ranges" in fields else row.ip_ranges
    bounds = Bounds(models, ip_ranges, row.origins)
    return key_shown(await key_service.update(parts, principal, row, name, expires_at, bounds))


async def rotate_key(parts: App, request: Validated[RotateKey, NoQuery], principal: Principal) -> Response:
    """Make a key that takes another's place."""
    overlap = timedelta(seconds=request.body.overlap_seconds)
    row, secret = await key_service.rotate(parts, principal, request.path["id"], overlap, request.headers)
    return key_made(row, secret)


async def revoke_key(parts: App, request: Validated[None, RevokeQuery], principal: Principal) -> Response:
    """Revoke a key."""
    descendants = Descendants(request.query.descendants or Descendants.MINTED)
    await key_service.revoke(parts, principal, request.path["id"], request.headers, descendants)
    return render.no_content()


def _set(texts: list[str] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


ROUTES = [
    read("/api/v1/keys", Permission.KEYS_READ, list_keys, Page[Key], "List API keys of one kind", RECENT),
    make(
        "/api/v1/keys",
        Permission.KEYS_WRITE,
        create_key,
        One[KeyWithSecret],
        "Make an API key",
        "The answer's `data.secret` is the key. It is told this once and not stored.",
    ),
    read("/api/v1/keys/{id}", Permission.KEYS_READ, get_key, One[Key], "Show an API key", cached=True),
    change(
        "/api/v1/keys/{id}",
        Permission.KEYS_WRITE,
        update_key,
        One[Key],
        "Change an API key",
        "Needs `If-Match` with the key's ETag.",
        errors=(409, 422),
    ),
    remove(
        "/api/v1/keys/{id}",
        Permission.KEYS_WRITE,
        revoke_key,
        None,
        "Revoke an API key",
        "It is refused from the answer on, everywhere. A member's own key ends with the membership.",
        errors=(409, 412),
    ),
    make(
        "/api/v1/keys/{id}/actions/rotate",
        Permission.KEYS_WRITE,
        rotate_key,
        One[KeyWithSecret],
        "Rotate an API key",
        "Makes a key with the same name, scopes and bounds. The old one works for `overlap_seconds` more.",
        errors=(412,),
    ),
]
