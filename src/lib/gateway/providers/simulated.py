"""What is known of the models of `tools/sim`, the simulated provider of development and tests."""

from __future__ import annotations

import re

from lib.gateway.models import ImageRule, Limits
from lib.ledger.usage import Price

PRICE = Price(input=100, output=400, cached_input=50, version="sim-1")
LISTED = ("chat", "chat-tools", "chat-lat50-chunks100-gap10", "embed")
_DEFAULT_CHUNKS = 10
_CHUNKS = re.compile(r"chunks([0-9]{1,9})")


def limits(model: str) -> Limits:
    """Read the length of an answer from the model's name, as the simulator does. It takes any input."""
    found = [word for part in model.split("-")[1:] if (word := _CHUNKS.fullmatch(part))]
    chunks = int(found[0][1]) if found else _DEFAULT_CHUNKS
    return Limits(most_output=max(1, chunks))  # the least that `max_tokens` can say


def image_rule(_: str) -> ImageRule:
    """The simulator counts texts alone."""
    return ImageRule(0, 0, 0)
