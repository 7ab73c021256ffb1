"""What production enforces and a local runtime does not: each rule with its figure and where Cloudflare says so.

The modules beside this one bite by these figures, and docs/production.md lists them; a test compares the two.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

D1 = "https://developers.cloudflare.com/d1/platform/limits/"
OBJECTS = "https://developers.cloudflare.com/durable-objects/platform/limits/"
ERRORS = "https://developers.cloudflare.com/durable-objects/best-practices/error-handling/"
ALARMS = "https://developers.cloudflare.com/durable-objects/api/alarms/"
KV = "https://developers.cloudflare.com/kv/platform/limits/"
KV_READS = "https://developers.cloudflare.com/kv/concepts/how-kv-works/"
QUEUES = "https://developers.cloudflare.com/queues/platform/limits/"
DELIVERY = "https://developers.cloudflare.com/queues/reference/delivery-guarantees/"
DEAD_LETTERS = "https://developers.cloudflare.com/queues/configuration/dead-letter-queues/"
WORKERS = "https://developers.cloudflare.com/workers/platform/limits/"
WAIT_UNTIL = "https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil"
CLOCK = "https://developers.cloudflare.com/workers/reference/security-model/"
PLACES = "https://developers.cloudflare.com/durable-objects/reference/data-location/"


@dataclass(frozen=True)
class Rule:
    """One figure of production's, and the page that says so."""

    figure: int
    source: str


ROW_BYTES = Rule(2_000_000, D1)  # also of a bound value and of any text; the same in a Durable Object
PARAMETERS = Rule(100, D1)
STATEMENT_BYTES = Rule(100_000, D1)
LIKE_BYTES = Rule(50, D1)
FUNCTION_ARGUMENTS = Rule(32, D1)
QUERIES = Rule(1_000, D1)  # an invocation; 50 on the free plan
OBJECT_VALUE_BYTES = Rule(2_000_000, OBJECTS)
KV_WRITE_SECONDS = Rule(1, KV)  # between two writes of one name
KV_STALE_SECONDS = Rule(60, KV_READS)  # also what is told of a name that is not there
KV_BULK_NAMES = Rule(100, "https://developers.cloudflare.com/kv/api/read-key-value-pairs/")
RESET_SECONDS = Rule(30, ERRORS)
RESET = "Durable Object reset because its code was updated."  # what the platform says of it
OVERLOAD_SECONDS = Rule(300, ERRORS)
ALARM_LATE_SECONDS = Rule(60, ALARMS)
MESSAGE_BYTES = Rule(128_000, QUEUES)
SEND_BYTES = Rule(256_000, QUEUES)
SEND_MESSAGES = Rule(100, QUEUES)
MESSAGE_LATE_SECONDS = Rule(5, DELIVERY)  # out of order, and doubled
MESSAGE_TRIES = Rule(3, DEAD_LETTERS)
WAIT_UNTIL_SECONDS = Rule(30, WAIT_UNTIL)
CONNECTIONS = Rule(6, WORKERS)
MEMORY_MB = Rule(128, WORKERS)
DELAY_MS = Rule(150, PLACES)

RULES: Mapping[str, Rule] = {name: value for name, value in list(globals().items()) if isinstance(value, Rule)}
PREFIX = "PRODUCTION_"


@dataclass(frozen=True)
class Settings:
    """What a run may choose otherwise, by variables with the same names behind PRODUCTION_."""

    delay_ms: int = DELAY_MS.figure  # there and back, to the store and to objects
    queries: int = QUERIES.figure
    reset_seconds: int = RESET_SECONDS.figure
    overload_seconds: int = OVERLOAD_SECONDS.figure
    alarm_late_seconds: int = ALARM_LATE_SECONDS.figure
    message_late_seconds: int = MESSAGE_LATE_SECONDS.figure
    wait_until_ms: int = WAIT_UNTIL_SECONDS.figure * 1000
    seed: int = 1

    @cached_property
    def chance(self) -> random.Random:
        """What decides by chance in one isolate, the same in each run."""
        return random.Random(self.seed)  # noqa: S311 - no secret


NAMES = tuple(f"{PREFIX}{field.name.upper()}" for field in fields(Settings))


def read_settings(get: Callable[[str], str | None]) -> Settings:
    """Read them from an environment. Raises ValueError naming one that is no whole number."""
    chosen = {}
    for field, name in zip(fields(Settings), NAMES, strict=True):
        text = get(name)
        if text is None:
            continue
        if not (text.isascii() and text.isdigit() and len(text) <= 7):
            raise ValueError(f"{name} must be a whole number, not {text!r}")
        chosen[field.name] = int(text)
    return Settings(**chosen)
