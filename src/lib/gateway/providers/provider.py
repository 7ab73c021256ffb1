"""What the gateway knows of a vendor: its address, how to prove who we are, and which models it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lib.gateway.models import Price


@dataclass(frozen=True, slots=True)
class Provider:
    """One vendor. Models of it are called `name/model`.

    `prices` are what its models cost by default; `default_price` is for a model that is not among them, or None where
    that is unknown. `listed` are the models that `GET /v1/models` shows.
    """

    name: str
    base_url: str
    headers: Mapping[str, str] = field(repr=False)  # holds the provider's key
    prices: Mapping[str, Price] = field(repr=False)
    listed: tuple[str, ...] = field(repr=False)
    default_price: Price | None = None

    def price(self, model: str) -> Price | None:
        """Return the default price of a model, or None when nobody told."""
        return self.prices.get(model, self.default_price)
