"""The providers of a deployment, each behind the API that it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lib.config import ConfigError
from lib.gateway.providers.compatible import Compatible
from lib.gateway.providers.provider import Provider
from lib.gateway.providers.settings import ProviderSettings
from lib.kernel import failures
from lib.kernel.failures import Failure


def configured(settings: Iterable[ProviderSettings], default_output: int) -> Mapping[str, Provider]:
    """Return the providers by name, in the order of their settings. `default_output` is in tokens: see `Provider`."""
    return {
        each.name: Compatible(each.name, each.vendor, each.base_url, each.secret, default_output) for each in settings
    }


def leave_out(mistake: ConfigError) -> None:
    """Have the log and `/readyz` tell a mistake; the provider that it is about is not offered."""
    failures.note(Failure.PROVIDER_MISCONFIGURED, str(mistake))
