"""The deployment's settings, read once from the environment's variables and secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

MIN_SECRET_CHARACTERS = 32
MOST_ORIGINS = 100
# As browsers write it (RFC 6454, 6.2): lower case, no path. Without TLS only this machine's own pages may call.
_ORIGIN = re.compile(r"(https://[a-z0-9.-]{1,253}|http://(localhost|127\.0\.0\.1))(:[1-9][0-9]{0,4})?")
OPENAI_BASE_URL = "https://api.openai.com/v1"


class ConfigError(Exception):
    """A variable is missing or malformed. The message names it and never its value."""


class StoreKind(StrEnum):
    """Where the data is: the variable STORE."""

    D1 = "d1"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of what people sign in with.

    issuer: PUBLIC_URL, where people reach this deployment; access tokens name it as who has made them.
    cors_origins: CORS_ORIGINS, the origins whose pages may call this deployment, with credentials.
    idle_minutes, days: SESSION_IDLE_MINUTES, SESSION_DAYS, after which a browser's session ends: unused, and at all.
    refresh_days: REFRESH_DAYS, how long an app stays signed in at most.
    """

    issuer: str = "urn:headgate"
    cors_origins: frozenset[str] = frozenset()
    idle_minutes: int = 1440
    days: int = 14
    refresh_days: int = 30


@dataclass(frozen=True, slots=True)
class Config:
    """Settings; the names in upper case are the environment's.

    secret: HEADGATE_SECRET, at least 32 characters, from which the pepper of the API keys is derived.
    openai_*, sim_*: OPENAI_BASE_URL, OPENAI_API_KEY, SIM_BASE_URL, SIM_API_KEY. A provider without its key (for the
    simulated one: without its address) is not offered.
    upstream_timeout_seconds: UPSTREAM_TIMEOUT_SECONDS, how long one call to a provider may last, its stream included.
    output_floor_tokens: OUTPUT_FLOOR_TOKENS, the least output that a budget must cover where a client sets no maximum.
    session: see there.
    """

    secret: str = field(repr=False)
    openai_base_url: str
    openai_api_key: str | None = field(repr=False)
    sim_base_url: str | None
    sim_api_key: str = field(repr=False)
    upstream_timeout_seconds: int
    output_floor_tokens: int
    session: SessionConfig = SessionConfig()


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
        session=_session(variable),
    )


def _session(variable: Callable[[str], str | None]) -> SessionConfig:
    public_url = variable("PUBLIC_URL")
    return SessionConfig(
        issuer=_base_url("PUBLIC_URL", public_url) if public_url else SessionConfig().issuer,
        cors_origins=_origins("CORS_ORIGINS", variable("CORS_ORIGINS") or ""),
        idle_minutes=_whole("SESSION_IDLE_MINUTES", variable, 1440, 9999),
        days=_whole("SESSION_DAYS", variable, 14, 90),
        refresh_days=_whole("REFRESH_DAYS", variable, 30, 365),
    )


def _origins(name: str, text: str) -> frozenset[str]:
    """Read a list with commas. `*` is no origin: with credentials it would let in every page there is."""
    origins = [origin.strip() for origin in text.split(",") if origin.strip()]
    if len(origins) > MOST_ORIGINS or not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ConfigError(f"{name} must list at most {MOST_ORIGINS} origins as browsers send them: https://example.com")
    return frozenset(origins)


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


def _whole(name: str, variable: Callable[[str], str | None], default: int, most: int) -> int:
    text = variable(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= most):
        raise ConfigError(f"{name} must be a whole number from 1 to {most}")
    return int(text)
