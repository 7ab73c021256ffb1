"""Pages of a list: 20 things by default, 100 at most, and an opaque cursor to the next."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from lib.kernel import json_body
from lib.kernel.errors import BadRequest
from lib.store.database import Database, Value
from lib.store.table import Table

Row = TypeVar("Row")

DEFAULT_LIMIT = 20
MOST_LIMIT = 100


class CursorQuery(BaseModel):
    """Where in a list to begin."""

    model_config = ConfigDict(extra="forbid")
    cursor: Annotated[str | None, Field(max_length=2000)] = None


class PageQuery(CursorQuery):
    """Where in a list to begin, and how much of it to return."""

    limit: Annotated[int, Field(ge=1, le=MOST_LIMIT)] = DEFAULT_LIMIT


def encode_cursor(position: list[str]) -> str:
    """Return the cursor that stands behind a row; `position` are the values that the list is sorted by."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def cut(rows: Sequence[Row], limit: int, position: Callable[[Row], list[str]]) -> tuple[Sequence[Row], str | None]:
    """Return the rows of one page, and the cursor to the next: None on the last page.

    `rows` has one more than `limit` where there are more; `position` tells a row's values that the list is sorted by.
    """
    shown = rows[:limit]
    return shown, encode_cursor(position(shown[-1])) if len(rows) > len(shown) else None


async def page_of(
    table: Table[Row], database: Database, org_id: str, query: PageQuery, also: str = "", *values: Value
) -> tuple[Sequence[Row], str | None]:
    """Return one page of an organisation's rows, of which the further conditions hold, and the cursor to the next."""
    [after] = decode_cursor(query.cursor, [table.start])
    rows = await table.page(database, org_id, after, query.limit + 1, also, *values)
    return cut(rows, query.limit, lambda row: [getattr(row, table.by)])


def decode_cursor(cursor: str | None, start: list[str]) -> list[str]:
    """Return the position of a cursor, or `start` where there is none. Raises BadRequest for one that is not ours."""
    if cursor is None:
        return start
    try:
        position = json_body.parse(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, BadRequest):  # no base64, no ASCII, no JSON
        position = None
    parts = [part for part in position if isinstance(part, str)] if isinstance(position, list) else []
    if len(parts) != len(start) or parts != position:
        raise BadRequest("The cursor is not one of ours.", param="cursor")
    return parts
