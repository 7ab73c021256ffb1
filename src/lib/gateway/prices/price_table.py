"""The default prices and limits, parsed once at import: that is free in production, where it is snapshotted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lib.gateway.models import NO_LIMITS, Limits
from lib.gateway.prices.price_data import TABLES, VERSION
from lib.ledger.usage import Price, Rates, Tariff


def _parse(table: str) -> dict[str, tuple[Price, Limits]]:
    models = {}
    for line in table.splitlines():
        name, *columns = line.split(" ")
        input_price, output_price, *optional = columns[:5]
        cached, most_input, most_output = (None if column == "-" else int(column) for column in optional)
        price = Price(int(input_price), int(output_price), cached, VERSION)
        more = dict(column.split("=") for column in columns[5:])
        models[name] = (_with_tiers(price, more) if more else price, Limits(most_input, most_output))
    return models


def _with_tiers(price: Price, more: Mapping[str, str]) -> Price:
    """Add what a line has behind its fixed columns: see the head of `price_data.py`."""
    rates = {name: _rates(text) for name, text in more.items() if name not in ("write", "after")}
    long = {name.removesuffix("+"): rate for name, rate in rates.items() if name.endswith("+")}
    return replace(
        price,
        cache_write=int(more["write"]) if "write" in more else None,
        long_after=int(more["after"]) if "after" in more else None,
        long=long.pop("usual", None),
        tiers={name: Tariff(rate, long.get(name)) for name, rate in rates.items() if not name.endswith("+")},
    )


def _rates(text: str) -> Rates:
    return Rates(*(int(number) for number in text.split(",")))


_MODELS = {provider: _parse(table) for provider, table in TABLES.items()}
_PRICES = {provider: {name: price for name, (price, _) in models.items()} for provider, models in _MODELS.items()}
_UNKNOWN = (None, NO_LIMITS)


def listed_name(provider: str, model: str) -> str:
    """Return the name under which a model stands in the tables; its own name where it does not.

    A fine-tuned model (`ft:base:organisation:name:id`) is its base's kind: as the table lists that fine-tuned, else as
    the base itself (https://platform.openai.com/docs/guides/model-optimization).
    """
    kind, _, rest = model.partition(":")
    models = _MODELS.get(provider, {})
    if kind != "ft" or model in models:
        return model
    base = rest.partition(":")[0]
    return next((name for name in (f"ft:{base}", base) if name in models), model)


def prices(provider: str) -> Mapping[str, Price]:
    """Return the default prices of a provider's models, by the provider's own names of them."""
    return _PRICES.get(provider, {})


def known(provider: str, model: str) -> tuple[Price | None, Limits]:
    """Return a model's default price, and what it takes and gives at most. Of one that is not listed neither."""
    models = _MODELS.get(provider)
    return models.get(listed_name(provider, model), _UNKNOWN) if models else _UNKNOWN
