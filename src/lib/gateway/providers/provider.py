"""What the gateway asks of a vendor: where a call goes, what proves who we are, what its models are, what it refuses.

A provider is pure: it says what to send, and never sends. Its models are called `name/model`, where the model's own
name may hold slashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lib.gateway.models import ModelFacts
from lib.gateway.streams.hiding import Hidden
from lib.kernel.failures import Failure


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """Where a call goes, and its headers, which hold our key. Its body goes as the provider was shown it."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal: what no caller can mend, and this deployment's operator can, else None; and the provider's body,
    without anything that is a secret or looks like a key.
    """

    operators: Failure | None
    body: bytes


class Provider(Protocol):
    """One vendor, or one of several accounts at one (`is_further`: not its first).

    `speaks` are the wire formats that it takes, by name, with where: see `lib.gateway.formats.format`. `listed` are the
    models that `GET /v1/models` shows; where there is a `listing`, that is asked (`lib.gateway.model_lists`).
    `default_output` is the limit of an answer under a hard budget, in tokens, where neither the client nor anybody else
    has said how long it may be.
    """

    @property
    def name(self) -> str: ...
    @property
    def is_further(self) -> bool: ...
    @property
    def speaks(self) -> Mapping[str, str]: ...
    @property
    def listed(self) -> tuple[str, ...]: ...
    @property
    def listing(self) -> HttpRequest | None: ...
    @property
    def default_output(self) -> int: ...
    @property
    def secret(self) -> str | None:
        """The deployment's key; None where it needs none."""
        ...

    @property
    def shown(self) -> Hidden:
        """What an answer that is no refusal might show, and nobody may see."""
        ...

    def model(self, name: str) -> ModelFacts:
        """Return what is known of one of its models. Any name may be one: it is judged when it is called."""
        ...

    def request(self, wire_format: str, model: str, body: bytes, secret: str | None) -> HttpRequest:
        """Return how to send a body in a wire format that it speaks, with a key. Raises KeyError for another format."""
        ...

    def fault(self, status: int, body: bytes, secret: str | None) -> Fault:
        """Return what an answer with a status of 400 or more means, and what of it may be shown."""
        ...
