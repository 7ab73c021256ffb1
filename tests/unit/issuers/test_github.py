"""Signing in with GitHub: OAuth with PKCE, and its API's word on who it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx

from lib.issuers.github import GithubProvider
from lib.issuers.issuer import Identity, Returned
from lib.issuers.oidc_client import ProviderFailure
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.fake_issuer import ATTEMPT, SETTINGS, answer, client_of, form_of, query_of

GITHUB = replace(
    SETTINGS,
    name="github",
    issuer="https://github.com",
    authority="https://github.com",
    api_url="https://api.github.com",
)
TOKEN = "https://github.com/login/oauth/access_token"
USER, EMAILS = "https://api.github.com/user", "https://api.github.com/user/emails"
PRIMARY = {"email": "octo@cat.example", "primary": True, "verified": True, "visibility": "private"}
OTHER = {"email": "other@cat.example", "primary": False, "verified": True, "visibility": None}


SAID: dict[str, Any] = {
    TOKEN: {"access_token": "gho_abc", "scope": "read:user,user:email", "token_type": "bearer"},
    USER: {"login": "octocat", "id": 583231, "name": "The Octocat", "email": None},
    EMAILS: [OTHER, PRIMARY],
}


def github(**changes: Any) -> respx.MockRouter:
    """Return GitHub's documented answers, with those replaced that a test says."""
    router = respx.MockRouter()
    for name, (method, url) in {"token": ("POST", TOKEN), "user": ("GET", USER), "emails": ("GET", EMAILS)}.items():
        said = changes.get(name, SAID[url])
        router.route(method=method, url=url).mock(said if isinstance(said, httpx.Response) else answer(said))
    return router


def identify(**changes: Any) -> tuple[Identity, respx.MockRouter]:
    router = github(**changes)
    provider = GithubProvider(GITHUB, client_of(router))
    return run(provider.identify(ATTEMPT, Returned("the code"), NOW)), router


def test_the_browser_is_sent_with_pkce_and_state() -> None:
    url = run(GithubProvider(GITHUB, client_of(github())).authorization_url(ATTEMPT, NOW, ask=False))
    fields = query_of(url)
    assert url.startswith("https://github.com/login/oauth/authorize?")
    assert (fields["state"], fields["code_challenge_method"]) == ("state", "S256")
    assert (fields["code_challenge"], fields["scope"]) == (ATTEMPT.challenge, "read:user user:email")
    assert fields["prompt"] == "select_account"
    assert "nonce" not in fields  # there is no ID token that could have it


def test_the_api_tells_who_it_is() -> None:
    """By the number, which is never given to anybody else; with the primary address that GitHub has verified."""
    identity, asked = identify()
    exchange, *questions = [request for request, _ in asked.calls]
    assert identity == Identity("https://github.com", "583231", "octo@cat.example", True, "The Octocat")
    assert form_of(exchange) == {
        "client_id": "our client",
        "client_secret": "s3cret:/+",
        "code": "the code",
        "redirect_uri": SETTINGS.redirect_uri,
        "code_verifier": ATTEMPT.verifier,
    }
    assert [request.headers["authorization"] for request in questions] == ["Bearer gho_abc"] * 2


@pytest.mark.parametrize(
    "emails",
    [[], [OTHER], [{**PRIMARY, "verified": False}, OTHER], [{**PRIMARY, "verified": "true"}], ["octo@cat.example"]],
)
def test_no_other_address_counts(emails: list[Any]) -> None:
    """Not one that is unverified, and not a second one: the person goes by the primary."""
    identity, _ = identify(emails=emails)
    assert (identity.email, identity.email_verified) == (None, False)


def test_who_has_no_name_goes_by_the_login() -> None:
    identity, _ = identify(user={"login": "octocat", "id": 1, "name": None})
    assert identity.name == "octocat"


@pytest.mark.parametrize(
    "change",
    [
        {"token": {"error": "bad_verification_code"}},  # with status 200, as GitHub does
        {"token": {"access_token": ""}},
        {"token": {"access_token": "a\r\nb: c"}},
        {"token": []},
        {"token": answer({}, 404)},
        {"user": {"login": "octocat"}},
        {"user": {"id": "583231"}},
        {"user": {"id": True}},
        {"user": {"id": 0}},
        {"user": []},
        {"user": answer({"message": "Bad credentials"}, 401)},
        {"emails": {}},
        {"emails": [PRIMARY] * 101},
        {"emails": answer([], 404)},
    ],
)
def test_another_answer_is_a_failure(change: dict[str, Any]) -> None:
    with pytest.raises(ProviderFailure):
        identify(**change)
