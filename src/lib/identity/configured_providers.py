"""The identity providers of a deployment, each behind the protocol that it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

from lib.identity.github import GithubProvider
from lib.identity.identity_provider import IdentityProvider
from lib.identity.jwt import Signatures
from lib.identity.oidc import OidcProvider
from lib.identity.provider_settings import GITHUB, ProviderSettings


def providers_of(
    settings: Iterable[ProviderSettings], http: httpx.AsyncClient, signatures: Signatures
) -> Mapping[str, IdentityProvider]:
    """Return the providers by name, in the order in which they are configured."""
    return {
        each.name: GithubProvider(each, http) if each.name == GITHUB else OidcProvider(each, http, signatures)
        for each in settings
    }
