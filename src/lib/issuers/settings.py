"""Whom people may sign in with, read once from the environment's variables.

    OIDC_PROVIDERS=google,microsoft,github,acme
    OIDC_ACME_ISSUER=https://login.acme.example    OIDC_ACME_CLIENT_ID=…    OIDC_ACME_CLIENT_SECRET=…

Whoever configures an issuer believes it when it says whose an address is: with that, people get into their accounts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lib.config import ConfigError

Variable = Callable[[str], str | None]

MOST_PROVIDERS = 20
MOST_ISSUER = 200
# Of the ways in which an answer comes back: by POST, so that no address holds the code.
# https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html
FORM_POST = "form_post"
GITHUB, GOOGLE, MICROSOFT = "github", "google", "microsoft"
EMAIL_VERIFIED = "email_verified"  # OpenID Connect Core, 5.1
# What an issuer that speaks for many tenants writes into its metadata in place of one (Microsoft).
TENANT = "{tenantid}"
LOOPBACK = ("127.0.0.1", "localhost")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_CLIENT = re.compile(r"[\x21-\x7e]{1,512}")
_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MICROSOFT_URL = "https://login.microsoftonline.com"
_CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant of all personal accounts


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """One provider. `issuer` is who it must say that it is, but for a slash at its end; it may hold TENANT.

    authority: where its metadata is, for OpenID Connect; where people sign in, for GitHub. api_url: GitHub's alone.
    verified_claim: which claim says that the address in `email` is the person's own.
    local: it may be on this machine, without TLS. Only where PUBLIC_URL is there too.
    form_post: its answers may come by POST, if it offers that.
    select_account: it is known to let people choose an account when it is asked to.
    """

    name: str
    issuer: str
    authority: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    api_url: str = ""
    verified_claim: str = EMAIL_VERIFIED
    local: bool = False
    select_account: bool = False
    form_post: bool = True


def read_providers(variable: Variable) -> tuple[IssuerSettings, ...]:
    """Return the providers; none where nothing is said. Raises ConfigError."""
    names = [name.strip() for name in (variable("OIDC_PROVIDERS") or "").split(",") if name.strip()]
    if not names:
        return ()
    if len(names) > MOST_PROVIDERS or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        raise ConfigError(
            f"OIDC_PROVIDERS must list at most {MOST_PROVIDERS} different names: small letters and digits"
        )
    public_url = (variable("PUBLIC_URL") or "").rstrip("/")
    if not is_secure(public_url, local=True):
        raise ConfigError("PUBLIC_URL must be an https address where OIDC_PROVIDERS lists any")
    local = is_local(public_url)
    return tuple(_read(name, public_url, variable, local=local) for name in names)


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine, without TLS: as in `make dev`."""
    return url.startswith("http://") and is_secure(url, local=True)


def is_secure(url: str, *, local: bool) -> bool:
    """Tell whether secrets may be sent to an address: https, or this machine where that is allowed."""
    try:
        parts = urlsplit(url)
        well_formed = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    if not well_formed or not url.isascii() or any(sign in url for sign in "@# \\") or len(url) > 2_000:
        return False
    return parts.scheme == "https" or (local and parts.scheme == "http" and parts.hostname in LOOPBACK)


def _read(name: str, public_url: str, variable: Variable, *, local: bool) -> IssuerSettings:
    prefix = f"OIDC_{name.upper().replace('-', '_')}_"

    def url(suffix: str, default: str | None) -> str:
        found = (variable(prefix + suffix) or default or "").rstrip("/")
        if not is_secure(found, local=local) or "?" in found or len(found) > MOST_ISSUER:
            raise ConfigError(f"{prefix}{suffix} must be an https address without query")
        return found

    client = {"client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET"}
    texts = {argument: variable(prefix + suffix) or "" for argument, suffix in client.items()}
    for argument, suffix in client.items():
        if not _CLIENT.fullmatch(texts[argument]):
            raise ConfigError(f"{prefix}{suffix} must be set, since OIDC_PROVIDERS lists {name}")
    mode = variable(f"{prefix}RESPONSE_MODE") or FORM_POST
    if mode not in (FORM_POST, "query"):
        raise ConfigError(f"{prefix}RESPONSE_MODE must be query or {FORM_POST}")
    return IssuerSettings(
        name=name,
        **_where(name, url, variable),
        **texts,
        redirect_uri=f"{public_url}/api/v1/auth/{name}/callback",
        local=local,
        form_post=mode == FORM_POST,
        select_account=name in (GITHUB, GOOGLE, MICROSOFT),
    )


def _where(name: str, url: Callable[[str, str | None], str], variable: Variable) -> Mapping[str, str]:
    if name == GITHUB:
        github = url("URL", "https://github.com")
        return {"issuer": github, "authority": github, "api_url": url("API_URL", "https://api.github.com")}
    if name == MICROSOFT:
        return _microsoft(url("URL", _MICROSOFT_URL), variable("OIDC_MICROSOFT_TENANT") or "")
    issuer = url("ISSUER", "https://accounts.google.com" if name == GOOGLE else None)
    return {"issuer": issuer, "authority": issuer}


def _microsoft(url: str, tenant: str) -> Mapping[str, str]:
    """Entra ID. Its `email` is what an administrator of any tenant has typed, and proves nothing ("nOAuth"): only the
    optional claim `xms_edov` says that the domain is the tenant's own. https://aka.ms/msrc-noauth-blog
    """
    if tenant not in ("common", "organizations", "consumers") and not _TENANT_ID.fullmatch(tenant):
        raise ConfigError("OIDC_MICROSOFT_TENANT must be a tenant's id, or common, organizations or consumers")
    names = {"common": TENANT, "organizations": TENANT, "consumers": _CONSUMERS}
    issuer = f"{url}/{names.get(tenant, tenant)}/v2.0"
    return {"issuer": issuer, "authority": f"{url}/{tenant}/v2.0", "verified_claim": "xms_edov"}
