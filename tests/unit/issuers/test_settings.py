"""Whom people may sign in with, read from the environment: what is wrong is refused at once, and named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from lib.config import ConfigError
from lib.issuers.settings import TENANT, IssuerSettings, is_secure, read_providers

BASE = {"PUBLIC_URL": "https://us.example/"}
TENANT_ID = "11111111-2222-3333-4444-555555555555"


def client(name: str) -> dict[str, str]:
    return {f"OIDC_{name}_CLIENT_ID": "id", f"OIDC_{name}_CLIENT_SECRET": "the secret".replace(" ", "-")}


def reader(variables: Mapping[str, str]) -> Callable[[str], str | None]:
    def variable(name: str) -> str | None:
        return variables.get(name)

    return variable


def read(**variables: str) -> dict[str, IssuerSettings]:
    return {each.name: each for each in read_providers(reader({**BASE, **variables}))}


def wrong(**variables: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(**variables)
    return str(error.value)


def test_without_a_list_there_is_none() -> None:
    assert read(OIDC_GOOGLE_CLIENT_ID="id") == {}
    assert read_providers(reader({})) == ()


def test_several_issuers_each_have_their_own_redirect_address() -> None:
    """RFC 9700, 4.4.2.2: so an answer of one can't be taken for another's. The secret is in no representation."""
    found = read(
        OIDC_PROVIDERS="acme, my-corp",
        OIDC_ACME_ISSUER="https://login.acme.example/",
        OIDC_MY_CORP_ISSUER="https://sso.corp.example/realm",
        **client("ACME"),
        **client("MY_CORP"),
    )
    assert found["acme"].issuer == found["acme"].authority == "https://login.acme.example"
    assert found["my-corp"].issuer == "https://sso.corp.example/realm"
    assert found["acme"].redirect_uri == "https://us.example/api/v1/auth/acme/callback"
    assert found["my-corp"].redirect_uri == "https://us.example/api/v1/auth/my-corp/callback"
    assert "the-secret" not in repr(found)


def test_google_is_known() -> None:
    assert read(OIDC_PROVIDERS="google", **client("GOOGLE"))["google"].issuer == "https://accounts.google.com"


def test_github_is_known_and_an_enterprise_has_its_own() -> None:
    github = read(OIDC_PROVIDERS="github", **client("GITHUB"))["github"]
    assert (github.issuer, github.api_url) == ("https://github.com", "https://api.github.com")
    own = read(
        OIDC_PROVIDERS="github",
        OIDC_GITHUB_URL="https://git.corp.example",
        OIDC_GITHUB_API_URL="https://git.corp.example/api/v3",
        **client("GITHUB"),
    )["github"]
    assert (own.issuer, own.api_url) == ("https://git.corp.example", "https://git.corp.example/api/v3")


@pytest.mark.parametrize(
    ("tenant", "issuer"),
    [
        (TENANT_ID, f"/{TENANT_ID}/v2.0"),
        ("common", f"/{TENANT}/v2.0"),
        ("organizations", f"/{TENANT}/v2.0"),
        ("consumers", "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
    ],
)
def test_microsoft_names_its_tenant(tenant: str, issuer: str) -> None:
    found = read(OIDC_PROVIDERS="microsoft", OIDC_MICROSOFT_TENANT=tenant, **client("MICROSOFT"))["microsoft"]
    assert found.issuer == f"https://login.microsoftonline.com{issuer}"
    assert found.authority == f"https://login.microsoftonline.com/{tenant}/v2.0"
    assert found.verified_claim == "xms_edov"


def test_what_is_missing_is_named() -> None:
    assert "OIDC_ACME_ISSUER" in wrong(OIDC_PROVIDERS="acme", **client("ACME"))
    assert "OIDC_GOOGLE_CLIENT_ID" in wrong(OIDC_PROVIDERS="google")
    assert "OIDC_GOOGLE_CLIENT_SECRET" in wrong(OIDC_PROVIDERS="google", OIDC_GOOGLE_CLIENT_ID="id")
    assert "OIDC_MICROSOFT_TENANT" in wrong(OIDC_PROVIDERS="microsoft", **client("MICROSOFT"))
    assert "OIDC_MICROSOFT_TENANT" in wrong(
        OIDC_PROVIDERS="microsoft", OIDC_MICROSOFT_TENANT="contoso.example", **client("MICROSOFT")
    )


@pytest.mark.parametrize(
    "names", ["Google", "google,google", "a/b", "../x", "1x", ",".join(f"p{i}" for i in range(21))]
)
def test_a_list_of_no_possible_names_is_refused(names: str) -> None:
    assert "OIDC_PROVIDERS" in wrong(OIDC_PROVIDERS=names)


def test_a_provider_needs_the_public_address() -> None:
    """Else nobody knows where a browser comes back to, and a `Host` header must not say."""
    for address in ("", "http://us.example", "us.example"):
        assert "PUBLIC_URL" in wrong(OIDC_PROVIDERS="google", PUBLIC_URL=address, **client("GOOGLE"))


def test_without_tls_only_on_this_machine_and_only_from_it() -> None:
    here = {"OIDC_PROVIDERS": "acme", "OIDC_ACME_ISSUER": "http://127.0.0.1:9000", **client("ACME")}
    assert "OIDC_ACME_ISSUER" in wrong(**here)
    assert read(**here, PUBLIC_URL="http://127.0.0.1:8787")["acme"].local
    other = {**here, "OIDC_ACME_ISSUER": "http://login.acme.example"}
    assert "OIDC_ACME_ISSUER" in wrong(**other, PUBLIC_URL="http://127.0.0.1:8787")


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https://a.example:x", "https://a.example:0", "https://me@a.example", "https://a.example#b",
        "https://a.example\\b", "https://a b.example", "https://[::1", "file:///etc/passwd", "http://a.example",
        "http://127.0.0.1.evil.example", "https://ä.example", "http://localhost.evil.example",
        f"https://{'a' * 2000}.b",
    ],
)  # fmt: skip
def test_a_secret_is_not_sent_there(url: str) -> None:
    assert not is_secure(url, local=True)
