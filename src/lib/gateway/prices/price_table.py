"""The default prices and limits. A vendor's are parsed at their first use: together they would be 300 KB in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

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


_UNKNOWN = (None, NO_LIMITS)


@cache
def models(provider: str) -> Mapping[str, tuple[Price, Limits]]:
    """Return the default price of each of a provider's models, and what it takes and gives at most, by its own name."""
    return _parse(TABLES.get(provider, ""))


def listed_name(provider: str, model: str) -> str:
    """Return the name under which a model stands in the tables; its own name where it does not.

    A fine-tuned model (`ft:base:organisation:name:id`) is its base's kind: as the table lists that fine-tuned, else as
    the base itself (https://platform.openai.com/docs/guides/model-optimization).
    """
    kind, _, rest = model.partition(":")
    listed = models(provider)
    if kind != "ft" or model in listed:
        return model
    base = rest.partition(":")[0]
    return next((name for name in (f"ft:{base}", base) if name in listed), model)


def names(provider: str) -> tuple[str, ...]:
    """Return the names of a provider's models, without parsing what they cost."""
    return tuple(line.partition(" ")[0] for line in TABLES.get(provider, "").splitlines())


def known(provider: str, model: str) -> tuple[Price | None, Limits]:
    """Return a model's default price, and what it takes and gives at most. Of one that is not listed neither."""
    return models(provider).get(listed_name(provider, model), _UNKNOWN)
