"""Providers from the variables of a deployment."""

from __future__ import annotations

from collections.abc import Mapping

from lib.gateway.providers.compatible import Compatible
from lib.gateway.providers.configured import configured
from lib.gateway.providers.settings import read_settings, refuse
from tests.unit.world import CONFIG, PROVIDERS


def names(variables: Mapping[str, str]) -> list[str]:
    """Return the names of the providers that are offered."""
    return [each.name for each in read_settings(variables.get, refuse)]


def provider(name: str, **variables: str) -> Compatible:
    """Return a provider by its name; `variables` go before those of the other tests."""
    found = configured(read_settings({**PROVIDERS, **variables}.get, refuse), CONFIG.default_output_tokens)[name]
    assert isinstance(found, Compatible)
    return found
