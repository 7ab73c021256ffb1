"""The one place that turns results and errors into answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

from lib.http import etag
from lib.http.dialect import Dialect
from lib.http.response import Finish, Response
from lib.kernel import json_body
from lib.kernel.errors import HeadgateError
from lib.web.operation import Finishing, Item, Listing

JSON = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}


class Meta(BaseModel):
    """What is told beside one thing: nothing yet."""


class PageMeta(BaseModel):
    """What is told beside a list. `next_cursor` is null on the last page."""

    next_cursor: str | None


# Envelopes are declared, and no models of pydantic: 70 of those would stay in each isolate's memory.
@dataclass(frozen=True)
class One:
    """The envelope of one thing."""

    of: type[BaseModel]
    meta: ClassVar[type[BaseModel]] = Meta


@dataclass(frozen=True)
class Page:
    """The envelope of a list. Ask again with `cursor` set to `meta.next_cursor` until that is null."""

    of: type[BaseModel]
    meta: ClassVar[type[BaseModel]] = PageMeta


Told = type[BaseModel] | One | Page | None


def data(value: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one thing, in the management API's envelope."""
    return Response(status, {**JSON, **(headers or {})}, json_body.dump({"data": value, "meta": {}}))


def answer(value: Any, status: int, place: Callable[[str], str]) -> Response:
    """Answer with what an operation returned. Where `status` is 201, `place` tells the path of what was made."""
    if isinstance(value, Response):  # what can't be told but by HTTP
        return value
    if value is None:
        return no_content()
    if isinstance(value, Finishing):
        return answer(value.value, status, place)._replace(finish=value.finish)
    if isinstance(value, Listing):
        return page(value.values, value.next_cursor)
    shown, headers = (value.value, {"etag": etag.etag(value.version)}) if isinstance(value, Item) else (value, {})
    if isinstance(value, Item) and value.new:
        status = 201
    elif status == 201:
        headers["location"] = place(shown.id)
    return data(shown, status=status, headers=headers)


def page(values: Sequence[BaseModel | None], next_cursor: str | None) -> Response:
    """Answer with one page of a list. `meta.next_cursor` is null on the last page."""
    return Response(200, JSON, json_body.dump({"data": values, "meta": {"next_cursor": next_cursor}}))


def bare(value: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one thing and no envelope, as the AI API does."""
    return Response(status, {**JSON, **(headers or {})}, json_body.dump(value))


def no_content(finish: Finish | None = None) -> Response:
    """Answer that it is done, with nothing to tell; `finish` is what remains."""
    return Response(204, {"cache-control": "no-store"}, finish=finish)


def error(failure: HeadgateError, dialect: Dialect, request_id: str) -> Response:
    """Answer with an error in the shape of the API that was called."""
    headers = {**JSON, **failure.headers}
    facts = {"error_code": failure.code, **failure.facts}
    return Response(failure.status, headers, json_body.dump(dialect.error(failure, request_id)), facts, failure.finish)
