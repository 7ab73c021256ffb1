"""A vendor that speaks OpenAI's API, as the rows of `table.py` describe one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from lib.gateway.models import NO_LIMITS, ModelFacts
from lib.gateway.prices.price_table import names
from lib.gateway.providers.provider import Fault, HttpRequest
from lib.gateway.providers.vendor import Vendor
from lib.gateway.redaction import redact
from lib.gateway.streams.hiding import Hidden
from lib.kernel.failures import Failure

DEFAULT_OUTPUT = 4096
MOST_KNOWN = 256  # models, of which clients may make up names
_KEY_REFUSED, _UNPAID, _TOO_MANY, _FORBIDDEN = (401, 403), 402, 429, 403
# https://platform.openai.com/docs/guides/error-codes: no rate is too high then, and to wait does not help.
_QUOTA = b'"insufficient_quota"'
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)  # without slots: `shown` is worked out once, and kept
class Compatible:
    """Implements `Provider`. `base_url` is where it is; away from the vendor's own address is some server of another's,
    with models of its own, which may show what it was sent.
    """

    name: str
    vendor: Vendor = field(repr=False)
    base_url: str
    secret: str | None = field(default=None, repr=False)
    default_output: int = DEFAULT_OUTPUT

    @property
    def is_further(self) -> bool:
        return self.name != self.vendor.name

    @property
    def speaks(self) -> Mapping[str, str]:
        return self.vendor.speaks

    @property
    def at_home(self) -> bool:
        """Tell whether it is the vendor itself."""
        return self.base_url == self.vendor.address

    @property
    def listed(self) -> tuple[str, ...]:
        return () if self.listing else self.vendor.listed or names(self.vendor.prices)

    @cached_property
    def listing(self) -> HttpRequest | None:
        lists_itself = self.vendor.lists_itself or (self.vendor.address is not None and not self.at_home)
        return HttpRequest(f"{self.base_url}/models", _credential(self.secret)) if lists_itself else None

    @cached_property
    def shown(self) -> Hidden:
        return Hidden(() if self.at_home or not self.secret else (self.secret,))

    @cached_property
    def model(self) -> Callable[[str], ModelFacts]:
        return lru_cache(MOST_KNOWN)(self._model)  # each call asks, and most ask for the same few

    def _model(self, name: str) -> ModelFacts:
        facts = self.vendor.model(name)
        is_vendors = self.at_home or self.vendor.address is None
        return facts if is_vendors else replace(facts, proved=NO_LIMITS)  # another's server keeps nobody's word

    def request(self, wire_format: str, model: str, body: bytes, secret: str | None) -> HttpRequest:  # noqa: ARG002 - some vendors sign the body, or have the model in the address
        return HttpRequest(self.base_url + self.vendor.speaks[wire_format], {**_credential(secret), **_JSON})

    def fault(self, status: int, body: bytes, secret: str | None) -> Fault:
        return Fault(self._operators(status, body), redact(body, (secret,) if secret else ()))

    def _operators(self, status: int, body: bytes) -> Failure | None:
        if status == _UNPAID or (status == _TOO_MANY and _QUOTA in body):
            return Failure.PROVIDER_OUT_OF_CREDIT
        if status == _FORBIDDEN and any(mark in body for mark in self.vendor.content_refused):
            return None
        return Failure.PROVIDER_REFUSED_KEY if status in _KEY_REFUSED else None


def _credential(secret: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"} if secret else {}
