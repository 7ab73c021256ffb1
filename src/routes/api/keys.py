"""`/api/v1/keys`: the API keys of an organisation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.access.bounds import Bounds
from lib.access.principal import INFERENCE_SCOPES, Permission
from lib.http.paging import PageQuery, page_of
from lib.keys import key_service
from lib.keys.key_store import KEYS, Descendants
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import change, make, read, remove
from routes.api.key_schemas import IpRanges, Key, KeyKind, KeyWithSecret, Models, key_made, key_of
from routes.schemas import RECENT, Name, Time


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


async def list_keys(call: Call[None, KeysQuery]) -> Listing[Key]:
    """List keys of one kind, newest first, revoked ones included."""
    kind = call.query.kind
    shown, more = await page_of(KEYS, call.parts.database, call.org_id, call.query, " AND kind = ?", kind)
    return Listing([key_of(row) for row in shown], more)


async def create_key(call: Call[CreateKey, NoQuery]) -> Item[KeyWithSecret]:
    """Make a key."""
    body = call.body
    row, secret = await key_service.create(
        call.parts,
        call.principal,
        body.name,
        body.scopes,
        body.expires_at,
        Bounds(_set(body.models), _set(body.ip_ranges)),
        body.team_id,
    )
    return key_made(row, secret)


async def get_key(call: Plain) -> Item[Key]:
    """Show one key."""
    row = await key_service.get(call.parts, call.principal, call.path["id"])
    return Item(key_of(row), row.version)


async def update_key(call: Call[UpdateKey, NoQuery]) -> Item[Key]:
    """Change a key's name or end."""
    row = await key_service.get(call.parts, call.principal, call.path["id"])
    call.match(row.version)
    fields = call.body.model_fields_set
    name = call.body.name or row.name
    expires_at = call.body.expires_at if "expires_at" in fields else row.expires_at
    models = _set(call.body.models) if "models" in fields else row.model_names
    ip_ranges = _set(call.body.ip_ranges) if "ip_ranges" in fields else row.ip_ranges
    bounds = Bounds(models, ip_ranges, row.origins)
    changed = await key_service.update(call.parts, call.principal, row, name, expires_at, bounds)
    return Item(key_of(changed), changed.version)


async def rotate_key(call: Call[RotateKey, NoQuery]) -> Item[KeyWithSecret]:
    """Make a key that takes another's place."""
    overlap = timedelta(seconds=call.body.overlap_seconds)
    row, secret = await key_service.rotate(call.parts, call.principal, call.path["id"], overlap, call.request.headers)
    return key_made(row, secret)


async def revoke_key(call: Call[None, RevokeQuery]) -> None:
    """Revoke a key."""
    descendants = Descendants(call.query.descendants or Descendants.MINTED)
    await key_service.revoke(call.parts, call.principal, call.path["id"], call.request.headers, descendants)


def _set(texts: list[str] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


ROUTES = [
    read("/api/v1/keys", Permission.KEYS_READ, list_keys, "List API keys of one kind", RECENT),
    make(
        "/api/v1/keys",
        Permission.KEYS_WRITE,
        create_key,
        "Make an API key",
        "The answer's `data.secret` is the key. It is told this once and not stored.",
    ),
    read("/api/v1/keys/{id}", Permission.KEYS_READ, get_key, "Show an API key", cached=True),
    change(
        "/api/v1/keys/{id}",
        Permission.KEYS_WRITE,
        update_key,
        "Change an API key",
        "Needs `If-Match` with the key's ETag.",
        errors=(409, 422),
    ),
    remove(
        "/api/v1/keys/{id}",
        Permission.KEYS_WRITE,
        revoke_key,
        "Revoke an API key",
        "It is refused from the answer on, everywhere. A member's own key ends with the membership.",
        errors=(409, 412),
    ),
    make(
        "/api/v1/keys/{id}/actions/rotate",
        Permission.KEYS_WRITE,
        rotate_key,
        "Rotate an API key",
        "Makes a key with the same name, scopes and bounds. The old one works for `overlap_seconds` more.",
        errors=(412,),
    ),
]
