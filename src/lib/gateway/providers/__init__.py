"""The vendors. To add one: a module beside these, and a line in `PROVIDERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lib.config import Config
from lib.gateway.providers.openai import openai
from lib.gateway.providers.provider import Provider
from lib.gateway.providers.sim import sim

PROVIDERS: tuple[Callable[[Config], Provider | None], ...] = (openai, sim)

__all__ = ["PROVIDERS", "Provider", "configured"]


def configured(config: Config) -> Mapping[str, Provider]:
    """Return the providers that this deployment can call, by name."""
    return {provider.name: provider for make in PROVIDERS if (provider := make(config))}
