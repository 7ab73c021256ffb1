"""What the gateway knows of a vendor: its address, how to prove who we are, and which models it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from lib.gateway.bounds_images import ImageRule
from lib.gateway.hiding import Hidden
from lib.gateway.models import Limits, Price

DEFAULT_OUTPUT = 4096


def no_limits(_: str) -> Limits:
    """Tell of a model that its limits are not known."""
    return Limits()


def no_image_rule(_: str) -> ImageRule | None:
    """Tell of a model that nobody states what an image is to it."""
    return None


def same_name(model: str) -> str:
    """Return a model's name as it is."""
    return model


@dataclass(frozen=True)  # without slots: `shown` is worked out once, and kept
class Provider:
    """One vendor. Models of it are called `name/model`.

    `prices` are what its models cost by default; `default_price` is for a model that is not among them, or None where
    that is unknown; `listed_name` is the name that a model has in such lists. `listed` are the models that
    `GET /v1/models` shows; where it `lists_itself`, it is asked (`lib.gateway.model_lists`). `limits` tells what
    a model takes and gives at most, and `image_rule` how many tokens an image is to it, None where nobody knows.
    `at_home`: it is the vendor itself, which shows nothing of what it was sent. `default_output` is the limit of an
    answer under a hard budget, where neither the client nor anybody else has said how long it may be.
    """

    name: str
    base_url: str
    headers: Mapping[str, str] = field(repr=False)  # holds the provider's key
    prices: Mapping[str, Price] = field(repr=False)
    listed: tuple[str, ...] = field(repr=False)
    lists_itself: bool = field(default=False, kw_only=True)
    at_home: bool = field(default=False, kw_only=True)
    default_price: Price | None = None
    limits: Callable[[str], Limits] = field(default=no_limits, repr=False)
    image_rule: Callable[[str], ImageRule | None] = field(default=no_image_rule, repr=False)
    default_output: int = DEFAULT_OUTPUT
    listed_name: Callable[[str], str] = field(default=same_name, repr=False)

    @cached_property
    def shown(self) -> Hidden:
        """Return what an answer that is no refusal might show of its headers, and nobody may see."""
        return Hidden(() if self.at_home else self.secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what of its headers nobody may see."""
        return tuple(value.removeprefix("Bearer ") for value in self.headers.values())

    def price(self, model: str) -> Price | None:
        """Return the default price of a model, or None when nobody told."""
        return self.prices.get(self.listed_name(model), self.default_price)
