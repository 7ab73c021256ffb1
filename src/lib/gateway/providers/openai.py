"""OpenAI, and every server that speaks its API at another address (https://platform.openai.com/docs/api-reference)."""

from __future__ import annotations

from lib.config import OPENAI_BASE_URL, Config
from lib.gateway.bounds_images import openai_image_rule
from lib.gateway.models import NO_LIMITS
from lib.gateway.price_table import limits, listed_name, prices
from lib.gateway.providers.provider import Provider

NAME = "openai"


def openai(config: Config) -> Provider | None:
    """Return the provider, or None when the deployment has no key for it."""
    if config.openai_api_key is None:
        return None
    table = prices(NAME)
    elsewhere = config.openai_base_url != OPENAI_BASE_URL  # some server of another's, with models of its own
    return Provider(
        name=NAME,
        base_url=config.openai_base_url,
        headers={"authorization": f"Bearer {config.openai_api_key}"},
        prices=table,
        listed=() if elsewhere else tuple(table),
        lists_itself=elsewhere,
        at_home=not elsewhere,
        limits=lambda model: limits(NAME).get(listed_name(NAME, model), NO_LIMITS),
        image_rule=openai_image_rule,
        default_output=config.default_output_tokens,
        listed_name=lambda model: listed_name(NAME, model),
    )
