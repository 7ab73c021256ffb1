"""Which vendors this deployment can call, read once from the environment's variables.

A vendor's settings go by its name: `GROQ_API_KEY`, and `GROQ_BASE_URL` for another address than its own. A further
account at one has the vendor's name, a hyphen and a word, stands in `MORE_PROVIDERS`, and is set up alike:

    MORE_PROVIDERS=openai-eu,vllm-2
    OPENAI_EU_API_KEY=…    OPENAI_EU_BASE_URL=https://eu.api.openai.com/v1    VLLM_2_BASE_URL=https://gpu-2.example/v1
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lib.config import ConfigError, base_url
from lib.gateway.providers.table import VENDORS
from lib.gateway.providers.vendor import Vendor

Variable = Callable[[str], str | None]

MOST_FURTHER = 20
_NAME = re.compile(r"(?P<vendor>[a-z]+)-[a-z0-9][a-z0-9-]{0,15}")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One account at a vendor. `secret` is None where its server needs none."""

    name: str
    vendor: Vendor = field(repr=False)
    base_url: str
    secret: str | None = field(repr=False)


def read_settings(variable: Variable, wrong: Callable[[ConfigError], None]) -> tuple[ProviderSettings, ...]:
    """Return what is set up, and nothing else.

    `wrong` is called with each mistake. What it is about is left out, unless that raises: one vendor's key with a
    newline in it takes nobody else's models away.
    """
    rows = [(vendor.name, vendor, _read) for vendor in VENDORS]
    found = []
    try:
        rows += [(name, vendor, _needed) for name, vendor in _further(variable("MORE_PROVIDERS") or "")]
    except ConfigError as mistake:
        wrong(mistake)
    for name, vendor, read in rows:
        try:
            found.append(read(name, vendor, variable))
        except ConfigError as mistake:
            wrong(mistake)
    return tuple(settings for settings in found if settings)


def refuse(mistake: ConfigError) -> None:
    """Raise a mistake: what is not deployed yet can be mended first."""
    raise mistake


def _needed(name: str, vendor: Vendor, variable: Variable) -> ProviderSettings:
    found = _read(name, vendor, variable)
    if found is None:
        missing = _prefix(name) + ("API_KEY" if vendor.address else "BASE_URL")
        raise ConfigError(f"{missing} must be set, since MORE_PROVIDERS lists {name}")
    return found


def _further(text: str) -> list[tuple[str, Vendor]]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    vendors = {vendor.name: vendor for vendor in VENDORS}
    words = [_NAME.fullmatch(name) for name in names]
    rows = [(word[0], vendors[word["vendor"]]) for word in words if word and word["vendor"] in vendors]
    if len(rows) < len(names) or len(set(names)) < len(names) or len(names) > MOST_FURTHER:
        raise ConfigError(
            f"MORE_PROVIDERS must list at most {MOST_FURTHER} different names: each a vendor's, a hyphen and a word"
        )
    return rows


def _read(name: str, vendor: Vendor, variable: Variable) -> ProviderSettings | None:
    prefix = _prefix(name)
    secret, address = variable(f"{prefix}API_KEY") or None, variable(f"{prefix}BASE_URL") or vendor.address
    url = base_url(f"{prefix}BASE_URL", address) if address else None
    if secret and not _KEY.fullmatch(secret):
        raise ConfigError(f"{prefix}API_KEY must be printable ASCII without spaces or line breaks")
    if url is None or (vendor.address and not secret):
        return None
    return ProviderSettings(name, vendor, url, secret)


def _prefix(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_"
