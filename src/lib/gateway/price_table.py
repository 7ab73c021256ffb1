"""The default prices, parsed once when the module is imported: that is free in production, where it is snapshotted."""

from __future__ import annotations

from collections.abc import Mapping

from lib.gateway.models import Price
from lib.gateway.price_data import TABLES, VERSION


def _parse(table: str) -> dict[str, Price]:
    prices = {}
    for line in table.splitlines():
        name, input_price, output_price, cached = line.split(" ")
        cached_price = None if cached == "-" else int(cached)
        prices[name] = Price(int(input_price), int(output_price), cached_price, VERSION)
    return prices


_PRICES = {provider: _parse(table) for provider, table in TABLES.items()}


def prices(provider: str) -> Mapping[str, Price]:
    """Return the default prices of a provider's models, by the provider's own names of them."""
    return _PRICES.get(provider, {})
