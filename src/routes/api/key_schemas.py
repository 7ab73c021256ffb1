"""What keys look like, and what is said of them, in the routes about keys."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from lib.access.ip_ranges import MOST_RANGE, parse_range
from lib.kernel.text import PRINTABLE
from lib.store.schema import ApiKeyRow
from lib.web.operation import Item

MOST_MODELS = 100
MOST_RANGES = 50
MOST_ORIGINS = 10
_HOST = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
# As browsers send it: no path, no port where it is the usual one. Pages without TLS are believed on one's own machine.
_ORIGIN = re.compile(
    rf"https://({_HOST}|\[[0-9a-f:]{{2,45}}\])(:[1-9][0-9]{{0,4}})?"
    r"|http://(localhost|127\.0\.0\.1|\[::1\])(:[1-9][0-9]{0,4})?"
)
_USUAL_PORT = re.compile(r"https:.*:443|http:.*:80")


def _range(text: str) -> str:
    parse_range(text)
    return text


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text) or _USUAL_PORT.fullmatch(text):
        raise ValueError("an origin is as browsers send it, as https://app.example.com")
    return text


_Model = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=PRINTABLE)]
_Range = Annotated[str, StringConstraints(to_lower=True, max_length=MOST_RANGE), AfterValidator(_range)]
_Origin = Annotated[str, StringConstraints(max_length=300), AfterValidator(_origin)]
Models = Annotated[list[_Model], Field(min_length=1, max_length=MOST_MODELS)]
IpRanges = Annotated[list[_Range], Field(min_length=1, max_length=MOST_RANGES)]
Origins = Annotated[list[_Origin], Field(min_length=1, max_length=MOST_ORIGINS)]


class KeyKind(StrEnum):
    """Who holds a key."""

    SERVER = "server"
    BROWSER = "browser"
    PERSON = "person"


class Key(BaseModel):
    """A key. `prefix` is the start of its secret, to recognise it by.

    `models`, `ip_ranges`, `origins` and `end_user` are what it is bound to, null where it is not. Its calls count for
    the person `user_id` and the team `team_id`. `leaked_at` is when somebody reported it.
    """

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: KeyKind
    name: str
    prefix: str
    scopes: list[str]
    models: list[str] | None
    ip_ranges: list[str] | None
    origins: list[str] | None
    end_user: str | None
    user_id: str | None
    team_id: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    leaked_at: datetime | None
    replaced_by_key_id: str | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime


class KeyWithSecret(Key):
    """A key that was just made. `secret` is told this once."""

    secret: str


def key_of(row: ApiKeyRow) -> Key:
    """Return a key as it is shown."""
    return Key.model_validate(_fields(row))


def key_made(row: ApiKeyRow, secret: str) -> Item[KeyWithSecret]:
    """Return a key that was just made."""
    return Item(KeyWithSecret.model_validate({**_fields(row), "secret": secret}), row.version)


def _fields(row: ApiKeyRow) -> dict[str, object]:
    fields = {name: getattr(row, name) for name in Key.model_fields if name != "models"} | {"models": row.model_names}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in fields.items()}
