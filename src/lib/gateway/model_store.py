"""An organisation's own models and their prices, in the store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from lib.gateway.models import Limits, ModelRoute, OutputField
from lib.ledger.usage import Price
from lib.store.database import Database, Read, Statement
from lib.store.tenant import Org

MOST_MODELS = 1000
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


def put(org_id: str, route: ModelRoute, expected_version: int | None, now: datetime) -> list[Statement]:
    """Return the group that creates or replaces a model; its last statement writes it.

    `expected_version`: 0 for "only if new", a number for "only if still this", else None.

    A price is a new row (its id is `price.version`), since usage records name the price that they were charged by.
    """
    price = route.price
    statements: list[Statement] = []
    if price:
        statements.append(
            Statement(
                "INSERT INTO model_prices (id, org_id, input_nano_usd_per_token, output_nano_usd_per_token,"
                " cached_input_nano_usd_per_token, per_request_nano_usd, created_at, updated_at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
                (price.version, org_id, price.input, price.output, price.cached_input, price.per_request, now),
            )
        )
    statements.append(
        Statement(
            "INSERT INTO models (org_id, id, provider, upstream_model, price_id, created_at, updated_at,"
            " max_output_tokens, context_tokens, output_limit_field)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6, CAST(?8 AS BIGINT), CAST(?9 AS BIGINT), ?10"
            " WHERE coalesce(CAST(?7 AS BIGINT), 0) = 0"
            " OR EXISTS (SELECT 1 FROM models WHERE org_id = ?1 AND id = ?2)"
            " ON CONFLICT (org_id, id) DO UPDATE SET provider = excluded.provider,"
            " upstream_model = excluded.upstream_model, price_id = excluded.price_id,"
            " max_output_tokens = excluded.max_output_tokens, context_tokens = excluded.context_tokens,"
            " output_limit_field = excluded.output_limit_field, version = models.version + 1,"
            " updated_at = excluded.updated_at WHERE CAST(?7 AS BIGINT) IS NULL OR models.version = CAST(?7 AS BIGINT)",
            (
                org_id,
                route.id,
                route.provider,
                route.upstream_model,
                price.version if price else None,
                now,
                expected_version,
                route.limits.most_output,
                route.limits.most_input,
                route.output_field,
            ),
        )
    )
    return statements


async def count_models(database: Database, org_id: str) -> int:
    """Return how many models an organisation has."""
    row = await database.one(Org(org_id), _Count, "SELECT count(*) AS number FROM models WHERE org_id = ?", org_id)
    return row.number if row else 0


def delete(org_id: str, model_id: str, expected_version: int | None) -> Statement:
    """Return the statement that deletes a model; its prices stay, for the records that name them."""
    sql = (
        "DELETE FROM models WHERE org_id = ?1 AND id = ?2"
        " AND (CAST(?3 AS BIGINT) IS NULL OR version = CAST(?3 AS BIGINT))"
    )
    return Statement(sql, (org_id, model_id, expected_version))


@dataclass(frozen=True, slots=True)
class _Count:
    number: int
