"""An organisation's own models and their prices, in the store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from lib.gateway.models import Limits, ModelRoute, OutputField
from lib.ledger.usage import Price
from lib.store import schema
from lib.store.database import Database, Read, Statement
from lib.store.schema import ModelPriceRow
from lib.store.table import Table
from lib.store.tenant import Org

MODELS = Table(
    "models",
    schema.ModelRow,
    most=1000,
    changes=("provider", "upstream_model", "price_id", "max_output_tokens", "context_tokens", "output_limit_field"),
)
_PRICES = Table("model_prices", ModelPriceRow, most=0)  # as many as there were changes
_OUTPUT_FIELDS: Mapping[str, OutputField] = {name: name for name in get_args(OutputField)}
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
_SELECT = (
    "SELECT models.id, models.provider, models.upstream_model, models.version, models.created_at, models.updated_at,"
    " max_output_tokens, context_tokens, output_limit_field,"
    " model_prices.id AS price_id, input_nano_usd_per_token, output_nano_usd_per_token,"
    " cached_input_nano_usd_per_token, per_request_nano_usd FROM models LEFT JOIN model_prices"
    " ON model_prices.id = models.price_id AND model_prices.org_id = models.org_id"
)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model with its price; the price's columns are None where the organisation set none."""

    id: str
    provider: str
    upstream_model: str
    version: int
    price_id: str | None
    input_nano_usd_per_token: int | None
    output_nano_usd_per_token: int | None
    cached_input_nano_usd_per_token: int | None
    per_request_nano_usd: int | None
    max_output_tokens: int | None
    context_tokens: int | None
    output_limit_field: str | None
    created_at: datetime
    updated_at: datetime

    def route(self) -> ModelRoute:
        """Return what the gateway needs of it."""
        price = None
        if self.price_id and self.input_nano_usd_per_token is not None and self.output_nano_usd_per_token is not None:
            price = Price(
                self.input_nano_usd_per_token,
                self.output_nano_usd_per_token,
                self.cached_input_nano_usd_per_token,
                self.price_id,
                self.per_request_nano_usd,
            )
        limits = Limits(self.context_tokens, self.max_output_tokens)
        output_field = _OUTPUT_FIELDS.get(self.output_limit_field or "")
        return ModelRoute(self.id, self.provider, self.upstream_model, price, limits, output_field)


def is_model_id(text: str) -> bool:
    """Tell whether a model of an organisation may have this name."""
    return _MODEL_ID.fullmatch(text) is not None


async def routes_of(database: Database, org_id: str) -> Mapping[str, ModelRoute]:
    """Return an organisation's models by name."""
    rows = await database.query(Org(org_id), ModelRow, _SELECT + " WHERE models.org_id = ?", org_id)
    return {row.id: row.route() for row in rows}


async def list_models(database: Database, org_id: str, after: str, limit: int) -> list[ModelRow]:
    """Return models whose id sorts behind `after`."""
    return await database.query(
        Org(org_id),
        ModelRow,
        _SELECT + " WHERE models.org_id = ? AND models.id > ? ORDER BY models.id LIMIT ?",
        org_id,
        after,
        limit,
        read=Read.RECENT,
    )


async def get_model(database: Database, org_id: str, model_id: str) -> ModelRow | None:
    """Return one model, or None."""
    if not is_model_id(model_id):
        return None
    sql = _SELECT + " WHERE models.org_id = ? AND models.id = ?"
    return await database.one(Org(org_id), ModelRow, sql, org_id, model_id)


def may_put(org_id: str, model_id: str, expected_version: int | None) -> Statement:
    """Return what finds something where `put` will write: while there is room, or the model is there.

    `expected_version`: 0 for "only if new", a number for "only if still this", else None.
    """
    if expected_version:
        return MODELS.found(org_id, model_id, expected_version)
    there = MODELS.found(org_id, model_id)
    room = "(SELECT count(*) FROM models WHERE org_id = ?) < ?"
    known = f"EXISTS ({there.sql}) OR" if expected_version is None else f"NOT EXISTS ({there.sql}) AND"
    return Statement(f"SELECT 1 WHERE {known} {room}", (*there.values, org_id, MODELS.most))


def put(org_id: str, route: ModelRoute, expected_version: int | None, now: datetime) -> list[Statement]:
    """Return the group that creates or replaces a model where `may_put` says so; its last statement writes it.

    A price is a new row (its id is `price.version`), since usage records name the price that they were charged by.
    """
    price, limits, may = route.price, route.limits, may_put(org_id, route.id, expected_version)
    row = schema.ModelRow(
        org_id=org_id,
        id=route.id,
        provider=route.provider,
        upstream_model=route.upstream_model,
        price_id=price.version if price else None,
        version=1,
        created_at=now,
        updated_at=now,
        max_output_tokens=limits.most_output,
        context_tokens=limits.most_input,
        output_limit_field=route.output_field,
    )
    made = MODELS.insert_if(row, may)
    replaced = "".join(f", {name} = excluded.{name}" for name in (*MODELS.changes, "updated_at"))
    written = f"{made.sql} ON CONFLICT (org_id, id) DO UPDATE SET version = models.version + 1{replaced}"
    group = [Statement(written, made.values)]
    if price is not None:
        kept = ModelPriceRow(
            price.version, org_id, price.input, price.output, price.cached_input, now, now, price.per_request
        )
        group.insert(0, _PRICES.insert_if(kept, may))
    return group
