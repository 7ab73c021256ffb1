"""The deployment's settings, read once from the environment's variables and secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

MIN_SECRET_CHARACTERS = 32
OPENAI_BASE_URL = "https://api.openai.com/v1"


class ConfigError(Exception):
    """A variable is missing or malformed. The message names it and never its value."""


class StoreKind(StrEnum):
    """Where the data is: the variable STORE."""

    D1 = "d1"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Config:
    """Settings; the names in upper case are the environment's.

    secret: HEADGATE_SECRET, at least 32 characters, from which the pepper of the API keys is derived.
    openai_*, sim_*: OPENAI_BASE_URL, OPENAI_API_KEY, SIM_BASE_URL, SIM_API_KEY. A provider without its key (for the
    simulated one: without its address) is not offered.
    upstream_timeout_seconds: UPSTREAM_TIMEOUT_SECONDS, how long one call to a provider may last, its stream included.
    output_floor_tokens: OUTPUT_FLOOR_TOKENS, the least output that a budget must cover where a client sets no maximum.
    ledger_retention_days: LEDGER_RETENTION_DAYS, how long single usage records stay in the store.
    """

    secret: str = field(repr=False)
    openai_base_url: str
    openai_api_key: str | None = field(repr=False)
    sim_base_url: str | None
    sim_api_key: str = field(repr=False)
    upstream_timeout_seconds: int
    output_floor_tokens: int
    ledger_retention_days: int


def read_config(variable: Callable[[str], str | None]) -> Config:
    """Read the settings through `variable`, which returns a variable's text or None. Raises ConfigError."""
    secret = variable("HEADGATE_SECRET") or ""
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise ConfigError(f"HEADGATE_SECRET must have at least {MIN_SECRET_CHARACTERS} characters")
    sim = variable("SIM_BASE_URL")
    return Config(
        secret=secret,
        openai_base_url=_base_url("OPENAI_BASE_URL", variable("OPENAI_BASE_URL") or OPENAI_BASE_URL),
        openai_api_key=variable("OPENAI_API_KEY") or None,
        sim_base_url=_base_url("SIM_BASE_URL", sim) if sim else None,
        sim_api_key=variable("SIM_API_KEY") or "sim",
        upstream_timeout_seconds=_whole("UPSTREAM_TIMEOUT_SECONDS", variable, 600, 3600),
        output_floor_tokens=_whole("OUTPUT_FLOOR_TOKENS", variable, 64, 9999),
        ledger_retention_days=_whole("LEDGER_RETENTION_DAYS", variable, 90, 3650, least=7),
    )


def read_store(variable: Callable[[str], str | None]) -> StoreKind:
    """Return which store is chosen; D1 where nothing is said. Raises ConfigError."""
    try:
        return StoreKind(variable("STORE") or StoreKind.D1)
    except ValueError:
        raise ConfigError(f"STORE must be {' or '.join(StoreKind)}") from None


def _base_url(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, a bracket that is not closed
        well_formed = False
    if not well_formed or any(character in text for character in "@?#"):
        raise ConfigError(f"{name} must be an http(s) address without user, query or fragment")
    return text.rstrip("/")


def _whole(name: str, variable: Callable[[str], str | None], default: int, most: int, least: int = 1) -> int:
    text = variable(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and least <= int(text) <= most):
        raise ConfigError(f"{name} must be a whole number from {least} to {most}")
    return int(text)
