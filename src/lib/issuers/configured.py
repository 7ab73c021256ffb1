"""The identity providers of a deployment, each behind the protocol that it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

from lib.issuers.github import GithubProvider
from lib.issuers.issuer import Issuer
from lib.issuers.oidc import OidcProvider
from lib.issuers.settings import GITHUB, IssuerSettings
from lib.tokens.jwt import Signatures


def issuers_of(
    settings: Iterable[IssuerSettings], http: httpx.AsyncClient, signatures: Signatures
) -> Mapping[str, Issuer]:
    """Return the providers by name, in the order in which they are configured."""
    return {
        each.name: GithubProvider(each, http) if each.name == GITHUB else OidcProvider(each, http, signatures)
        for each in settings
    }
