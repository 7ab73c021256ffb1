"""The simulated provider of `tools/sim`: real HTTP, no key, no network, for development and tests."""

from __future__ import annotations

import re

from lib.config import Config
from lib.gateway.bounds_images import ImageRule
from lib.gateway.models import Limits, Price
from lib.gateway.providers.provider import Provider

NAME = "sim"
PRICE = Price(input=100, output=400, cached_input=50, version="sim-1")
LISTED = ("chat", "chat-tools", "chat-lat50-chunks100-gap10", "embed")
_DEFAULT_CHUNKS = 10
_CHUNKS = re.compile(r"chunks([0-9]{1,9})")


def _limits(model: str) -> Limits:
    """Read the length of an answer from the model's name, as the simulator does. It takes any input."""
    found = [word for part in model.split("-")[1:] if (word := _CHUNKS.fullmatch(part))]
    chunks = int(found[0][1]) if found else _DEFAULT_CHUNKS
    return Limits(most_output=max(1, chunks))  # the least that `max_tokens` can say


def _image_rule(_: str) -> ImageRule:
    """The simulator counts texts alone."""
    return ImageRule(0, 0, 0)


def sim(config: Config) -> Provider | None:
    """Return the provider, or None where none runs (in production)."""
    if config.sim_base_url is None:
        return None
    return Provider(
        name=NAME,
        base_url=config.sim_base_url,
        headers={"authorization": f"Bearer {config.sim_api_key}"},
        prices={},
        listed=LISTED,
        default_price=PRICE,  # any name is a model here: the name says what it does
        limits=_limits,
        image_rule=_image_rule,
        default_output=config.default_output_tokens,
    )
