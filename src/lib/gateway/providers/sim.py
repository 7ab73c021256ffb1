"""The simulated provider of `tools/sim`: real HTTP, no key, no network, for development and tests."""

from __future__ import annotations

from lib.config import Config
from lib.gateway.models import Price
from lib.gateway.providers.provider import Provider

NAME = "sim"
PRICE = Price(input=100, output=400, cached_input=50, version="sim-1")
LISTED = ("chat", "chat-tools", "chat-lat50-chunks100-gap10", "embed")


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
    )
