"""The gateway's values: tokens, prices, and where a model's requests go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from lib.ledger.usage import Price, Usage

# Reasoning models of OpenAI's take the second alone; many servers know the first alone.
OutputField = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens that a model takes and gives in one call, each choice for itself; None where nobody told.

    Many models have one context for both. What is put in for a client heeds that; so `most_input` is taken for it.
    """

    most_input: int | None = None
    most_output: int | None = None

    def over(self, other: Limits) -> Limits:
        """Return these, with what `other` tells where they are silent."""
        return Limits(
            other.most_input if self.most_input is None else self.most_input,
            other.most_output if self.most_output is None else self.most_output,
        )


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ImageRule:
    """The most tokens of an image, whatever its size, by its detail. `auto`, and no detail, may be any of them."""

    low: int
    high: int
    original: int

    def most(self, detail: object) -> int | None:
        """Return the most tokens of one image, or None for a detail that is not known."""
        if detail is None or detail == "auto":
            return max(self.low, self.high, self.original)
        return {"low": self.low, "high": self.high, "original": self.original}.get(str(detail))


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a provider knows of one of its models: what its tokens cost, what it takes and gives, how many tokens an
    image is to it, each None where nobody knows; and where it differs from its wire format.

    `proved` are those of its limits on which a bound may lean: past them the provider refuses. A list's number that is
    too low, as resellers' often are, is no more than a hint of what to put in for a client.

    `output_field` is the field that limits an answer's length; None: the format tells by the model's name.
    `fields` are those of a request that it takes under another name, and, with None, those that do not go to it;
    `functions_only`: nor do tools that it would run itself.
    """

    price: Price | None = None
    limits: Limits = NO_LIMITS
    proved: Limits = NO_LIMITS
    image_rule: ImageRule | None = None
    output_field: OutputField | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    functions_only: bool = False


NO_FACTS = ModelFacts()


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """An organisation's own name for a model: the provider and model behind it, and what it has said of it.

    Its price, its limits, and which field limits an answer's length (`OutputField`), each None where it said nothing.
    """

    id: str
    provider: str
    upstream_model: str
    price: Price | None
    limits: Limits = NO_LIMITS
    output_field: OutputField | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the begin of a long stream has told, whose text is no longer kept.

    The last usage that it told; of each choice that it began whether it told why that finished; and the events with
    content and the bytes that they said, both counted by samples.
    """

    usage: Usage | None = None
    choices: Mapping[str, bool] = field(default_factory=dict)
    events: int = 0
    said: int = 0


NOTHING_EARLIER = Earlier()


class Completion(Enum):
    """How far a stream's text goes: to its end mark, to a reason to finish for each choice, to an error event of the
    provider's own (`REFUSED`, where no choice had begun before), or it just stops.
    """

    MARKED = "marked"
    WHOLE = "whole"
    FAILED = "failed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
