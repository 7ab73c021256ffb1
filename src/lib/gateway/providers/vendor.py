"""What a row of `table.py` says of a vendor that speaks OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lib.gateway.models import NO_LIMITS, ImageRule, Limits, ModelFacts, OutputField
from lib.gateway.prices.price_table import known
from lib.ledger.usage import Price

# Wire formats, by the names that usage records have of them, and where they are behind an address.
CHAT = {"chat.completions": "/chat/completions"}
CHAT_AND_EMBEDDINGS = {**CHAT, "embeddings": "/embeddings"}


def no_image_rule(_: str) -> ImageRule | None:
    """Tell of a model that nobody states what an image is to it."""
    return None


def no_limits_hold(_: str) -> bool:
    """Tell of a model that its limits are what others say of it."""
    return False


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor. With the name `acme` its settings are `ACME_API_KEY` and `ACME_BASE_URL`, and its models `acme/…`.

    `address` is its own; None where everybody runs one's own, whose address must be told and which may need no key.
    `prices` is its name in the price data; of a model that is not there nothing is known, but for a `default_price` and
    what `limits` tells. `limits_hold` tells of a model whether these limits are the vendor's own word, past which it
    refuses: then bounds lean on them. `lists_itself`: it is asked for its models; else `listed` are shown, or the price
    data's.

    What differs from OpenAI's API: the formats that it `speaks`; `output_field`, as which alone it takes the length of
    an answer (None: as either, or the model's name tells); `fields`, those of a request that it has another name for,
    and, with None, those that it refuses or nobody may send, and with some of these `functions_only`, where nobody may
    send tools that it would run itself; `image_rule`, how many tokens an image is to a model, None where nobody states
    it; `content_refused`, texts of which a 403 has one where it refuses what was asked, and not this deployment's key.
    """

    name: str
    address: str | None = None
    prices: str = ""
    default_price: Price | None = None
    limits: Callable[[str], Limits] | None = None
    limits_hold: Callable[[str], bool] = no_limits_hold
    listed: tuple[str, ...] = ()
    lists_itself: bool = True
    speaks: Mapping[str, str] = field(default_factory=lambda: CHAT_AND_EMBEDDINGS)
    output_field: OutputField | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    functions_only: bool = False
    image_rule: Callable[[str], ImageRule | None] = no_image_rule
    content_refused: tuple[bytes, ...] = ()

    def model(self, name: str) -> ModelFacts:
        """Return what is known of one of its models."""
        price, limits = known(self.prices, name)
        if self.limits:
            limits = self.limits(name)
        return ModelFacts(
            price or self.default_price,
            limits,
            limits if self.limits_hold(name) else NO_LIMITS,
            self.image_rule(name),
            self.output_field,
            self.fields,
            self.functions_only,
        )
