"""`/api/v1/models`: the models that an organisation names and prices itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lib.access.principal import Permission, Principal
from lib.audit.differences import differences
from lib.events.event import Event
from lib.gateway import model_store
from lib.gateway.model_store import MODELS, ModelRow
from lib.gateway.models import Limits, ModelRoute, OutputField
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.kernel.errors import BadRequest, NotFound, PreconditionFailed, UnprocessableEntity
from lib.kernel.ids import new_id
from lib.kernel.text import PRINTABLE
from lib.ledger.usage import Price
from lib.store.tenant import Org
from lib.web.app import App
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import put, read, remove
from routes.money import InDollars, Usd, UsdPerMillion, either, one_of
from routes.schemas import RECENT

MOST_A_TOKEN, MOST_A_CALL = 10**9, 10**12  # a dollar, and a thousand
_NANO_USD = Annotated[int, Field(ge=0, le=MOST_A_TOKEN)]
_NANO_USD_A_CALL = Annotated[int, Field(ge=0, le=MOST_A_CALL)]
_TOKENS = Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
_FORBID = ConfigDict(extra="forbid")


class NewPrice(BaseModel):
    """What a model costs: nano-dollars (10⁻⁹ USD) a token, or dollars for a million tokens. Cached input costs as much
    as other input unless told. What is `per_request` is charged for each finished call, in addition to its tokens.
    """

    model_config = _FORBID
    input_nano_usd_per_token: _NANO_USD | None = None
    input_usd_per_million_tokens: UsdPerMillion | None = None
    output_nano_usd_per_token: _NANO_USD | None = None
    output_usd_per_million_tokens: UsdPerMillion | None = None
    cached_input_nano_usd_per_token: _NANO_USD | None = None
    cached_input_usd_per_million_tokens: UsdPerMillion | None = None
    per_request_nano_usd: _NANO_USD_A_CALL | None = None
    per_request_usd: Usd | None = None

    @model_validator(mode="after")
    def _one_form(self) -> NewPrice:
        self.price("")
        return self

    def price(self, version: str) -> Price:
        """Return it is kept. Raises ValueError."""
        cached, million = self.cached_input_nano_usd_per_token, self.cached_input_usd_per_million_tokens
        price = Price(
            one_of(self.input_nano_usd_per_token, self.input_usd_per_million_tokens, "the input's price"),
            one_of(self.output_nano_usd_per_token, self.output_usd_per_million_tokens, "the output's price"),
            either(cached, million, "the cached input's price"),
            version,
            either(self.per_request_nano_usd, self.per_request_usd, "the price of a call"),
        )
        dearest = max(price.input, price.output, price.cached_input or 0)
        if dearest > MOST_A_TOKEN or (price.per_request or 0) > MOST_A_CALL:
            raise ValueError("a price is a dollar a token at most, and a thousand dollars a call")
        return price


class ModelPrice(InDollars):
    """What a model costs."""

    input_nano_usd_per_token: int
    output_nano_usd_per_token: int
    cached_input_nano_usd_per_token: int | None
    per_request_nano_usd: int | None


class PutModel(BaseModel):
    """A model's name leads to this provider and model. Without a price, the provider's default price holds.

    `max_output_tokens` is the most that the model answers for each choice, `context_tokens` the most of its input and
    answer together: they bound what a call may cost, and what is put in where a client sets no maximum. Without them
    the provider's own hold, where they are known. `output_limit_field` is what a chat's maximum is put in as; without
    it the name of `upstream_model` tells.
    """

    model_config = _FORBID
    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]
    upstream_model: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=PRINTABLE)]
    price: NewPrice | None = None
    max_output_tokens: _TOKENS | None = None
    context_tokens: _TOKENS | None = None
    output_limit_field: OutputField | None = None


class OrgModel(BaseModel):
    """A model of the organisation. `price_version` is what usage records charged by its price name."""

    id: str
    provider: str
    upstream_model: str
    price: ModelPrice | None
    price_version: str | None
    max_output_tokens: int | None
    context_tokens: int | None
    output_limit_field: OutputField | None
    created_at: datetime
    updated_at: datetime


async def list_org_models(call: Call[None, PageQuery]) -> Listing[OrgModel]:
    """List the organisation's models by name."""
    [after] = decode_cursor(call.query.cursor, [""])
    rows = await model_store.list_models(call.parts.database, call.org_id, after, call.query.limit + 1)
    shown, more = cut(rows, call.query.limit, lambda row: [row.id])
    return Listing([_model(row) for row in shown], more)


async def get_org_model(call: Plain) -> Item[OrgModel]:
    """Show one model."""
    row = await _find(call.parts, call.principal, call.path["id"])
    return Item(_model(row), row.version)


async def put_org_model(call: Call[PutModel, NoQuery]) -> Item[OrgModel]:
    """Create or replace a model. Requests use it from the answer on."""
    model_id = _checked_id(call.path["id"])
    body = call.body
    if body.provider not in call.parts.gateway.providers:
        names = ", ".join(sorted(call.parts.gateway.providers)) or "none"
        raise UnprocessableEntity(f"This provider is not configured. Configured: {names}.", param="provider")
    old = await model_store.get_model(call.parts.database, call.org_id, model_id)
    call.match(old.version if old else None)
    work = call.work
    price = body.price.price(new_id(work.now)) if body.price else None
    limits = Limits(body.context_tokens, body.max_output_tokens)
    route = ModelRoute(model_id, body.provider, body.upstream_model, price, limits, body.output_limit_field)
    conditional = call.request.headers.get("if-match") or call.request.headers.get("if-none-match")
    expected = (old.version if old else 0) if conditional else None
    event = Event("model.put", Org(call.org_id), f"model:{model_id}", differences(old and old.route(), route))
    written = model_store.put(call.org_id, route, expected, work.now)
    if not await work.commit(event, *written, only_if=model_store.may_put(call.org_id, model_id, expected)):
        if expected or (expected == 0 and await model_store.get_model(call.parts.database, call.org_id, model_id)):
            raise PreconditionFailed()
        raise UnprocessableEntity(f"An organisation has at most {MODELS.most} models.")
    made = await _find(call.parts, call.principal, model_id)
    return Item(_model(made), made.version, new=old is None)


async def delete_org_model(call: Plain) -> None:
    """Delete a model. The records of its use stay."""
    row = await _find(call.parts, call.principal, call.path["id"])
    call.match(row.version)
    expected = row.version if call.request.headers.get("if-match") else None
    event = Event("model.deleted", Org(call.org_id), f"model:{row.id}", differences(row.route(), None))
    which = (call.org_id, row.id, expected)
    if not await call.work.commit(event, MODELS.delete(*which), only_if=MODELS.found(*which)):
        raise PreconditionFailed()


async def _find(parts: App, principal: Principal, model_id: str) -> ModelRow:
    row = await model_store.get_model(parts.database, principal.org_id, model_id)
    if row is None:
        raise NotFound("There is no such model.")
    return row


def _checked_id(model_id: str) -> str:
    if not model_store.is_model_id(model_id):
        raise BadRequest(
            "A model's name has up to 128 letters, digits and . _ : / @ -, and begins with a letter or digit."
        )
    return model_id


def _model(row: ModelRow) -> OrgModel:
    route = row.route()
    price = route.price
    return OrgModel(
        id=row.id,
        provider=row.provider,
        upstream_model=row.upstream_model,
        price=ModelPrice(
            input_nano_usd_per_token=price.input,
            output_nano_usd_per_token=price.output,
            cached_input_nano_usd_per_token=price.cached_input,
            per_request_nano_usd=price.per_request,
        )
        if price
        else None,
        price_version=row.price_id,
        max_output_tokens=row.max_output_tokens,
        context_tokens=row.context_tokens,
        output_limit_field=route.output_field,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


ROUTES = [
    read(
        "/api/v1/models",
        Permission.MODELS_READ,
        list_org_models,
        "List the organisation's models",
        RECENT,
    ),
    read("/api/v1/models/{id:path}", Permission.MODELS_READ, get_org_model, "Show a model", cached=True),
    put(
        "/api/v1/models/{id:path}",
        Permission.MODELS_WRITE,
        put_org_model,
        "Create or replace a model",
        "`If-Match` with the model's ETag replaces only that version, `If-None-Match: *` only creates.",
        errors=(412, 422),
    ),
    remove("/api/v1/models/{id:path}", Permission.MODELS_WRITE, delete_org_model, "Delete a model", errors=(412,)),
]
