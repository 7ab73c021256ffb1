"""OpenID Connect: who has signed in is believed only by an ID token that is right in every part."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from lib.issuers.issuer import Identity
from lib.issuers.oidc_client import ProviderFailure
from lib.issuers.settings import TENANT
from lib.tokens.jwt import base64url_encode
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.fake_issuer import (
    ATTEMPT,
    ISSUER,
    OTHER_PRIVATE,
    OTHER_PUBLIC,
    PRIVATE,
    PUBLIC,
    SETTINGS,
    FakeIssuer,
    answer,
    published,
    query_of,
    signed,
)

SECONDS = int(NOW.timestamp())
TENANT_ID, OTHER_TENANT = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"


def refused(fake: FakeIssuer, **more: Any) -> str:
    with pytest.raises(ProviderFailure) as failure:
        fake.identify(**more)
    return str(failure.value)


def test_the_browser_is_sent_with_pkce_state_and_nonce() -> None:
    """RFC 9700, 2.1.1: S256, never plain; the redirect address exactly as configured; no secret in the address."""
    url = run(FakeIssuer().provider().authorization_url(ATTEMPT, NOW, ask=False))
    digest = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert url.startswith(f"{ISSUER}/auth?")
    assert query_of(url) == {
        "response_type": "code",
        "client_id": "our client",
        "redirect_uri": "https://us.example/api/v1/auth/acme/callback",
        "scope": "openid email profile",
        "state": "state",
        "nonce": "nonce",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize(
    ("known", "prompts", "ask", "prompt"),
    [
        (True, None, False, "select_account"),
        (True, None, True, "select_account"),
        (False, ["none", "login", "select_account"], False, "select_account"),
        (False, ["none", "login"], False, None),
        (False, ["none", "login"], True, "login"),
        (False, None, True, "login"),
        (False, "select_account", False, None),
    ],
)
def test_people_choose_an_account_where_the_provider_can(
    known: bool, prompts: object, ask: bool, prompt: str | None
) -> None:
    """Where it can't, a browser that another's page has sent signs in there anew; ours is not made to."""
    settings = replace(SETTINGS, select_account=known)
    issuer = FakeIssuer(settings=settings, metadata={"prompt_values_supported": prompts})
    assert query_of(run(issuer.provider().authorization_url(ATTEMPT, NOW, ask=ask))).get("prompt") == prompt


def test_an_endpoint_may_have_a_query_of_its_own() -> None:
    issuer = FakeIssuer(metadata={"authorization_endpoint": f"{ISSUER}/auth?policy=x"})
    assert query_of(run(issuer.provider().authorization_url(ATTEMPT, NOW, ask=False)))["policy"] == "x"


def test_a_good_token_tells_who_it_is() -> None:
    issuer = FakeIssuer()
    assert issuer.identify() == Identity(ISSUER, "alice", "alice@wonder.example", True, "Alice")


def test_the_code_is_exchanged_with_the_verifier_and_the_secret() -> None:
    """RFC 6749, 2.3.1: both halves of HTTP Basic are form-encoded first. The secret goes nowhere else."""
    issuer = FakeIssuer()
    issuer.identify()
    [exchange] = [asked for asked in issuer.asked if asked.url == f"{ISSUER}/token"]
    assert exchange.form == {
        "grant_type": "authorization_code",
        "code": "the code",
        "redirect_uri": SETTINGS.redirect_uri,
        "code_verifier": ATTEMPT.verifier,
    }
    basic = base64.b64decode(exchange.headers["authorization"].removeprefix("Basic ")).decode()
    assert basic == "our+client:s3cret%3A%2F%2B"


def test_the_secret_goes_into_the_body_where_the_provider_takes_no_other() -> None:
    issuer = FakeIssuer(metadata={"token_endpoint_auth_methods_supported": ["client_secret_post"]})
    issuer.identify()
    [exchange] = [asked for asked in issuer.asked if asked.url == f"{ISSUER}/token"]
    assert (exchange.form["client_id"], exchange.form["client_secret"]) == ("our client", "s3cret:/+")
    assert "authorization" not in exchange.headers


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://evil.example"}, "Invalid issuer"),
        ({"iss": f"{ISSUER}/"}, "Invalid issuer"),
        ({"iss": None}, 'missing the "iss" claim'),
        ({"aud": "another client"}, "Audience doesn't match"),
        ({"aud": None}, 'missing the "aud" claim'),
        ({"aud": []}, 'missing the "aud" claim'),
        ({"aud": ["our client", "another client"]}, "made for another client"),
        ({"aud": ["our client", "another client"], "azp": "another client"}, "made for another client"),
        ({"aud": ["another client"], "azp": "our client"}, "Audience doesn't match"),
        ({"azp": "another client"}, "made for another client"),
        ({"azp": ["our client"]}, "made for another client"),
        ({"nonce": "another"}, "made for another attempt"),
        ({"nonce": None}, "made for another attempt"),
        ({"nonce": ["nonce"]}, "made for another attempt"),
        ({"exp": SECONDS}, "expired"),
        ({"exp": None}, 'missing the "exp" claim'),
        ({"exp": "never"}, "exp is no time"),
        ({"iat": SECONDS + 120}, "not yet valid"),
        ({"nbf": SECONDS + 120}, "not yet valid"),
        ({"iat": SECONDS - 601}, "an old one"),
        ({"iat": None}, 'missing the "iat" claim'),
        ({"sub": None}, 'missing the "sub" claim'),
        ({"sub": ""}, "no subject"),
        ({"sub": 7}, "Subject must be a string"),
        ({"sub": "x" * 256}, "a subject of no possible form"),
        ({"sub": "älice"}, "a subject of no possible form"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(claims: dict[str, Any], why: str) -> None:
    """OpenID Connect Core, 3.1.3.7: each claim alone is enough to refuse it."""
    assert why in refused(FakeIssuer(claims=claims))


def test_a_list_with_us_alone_is_an_audience() -> None:
    assert FakeIssuer(claims={"aud": ["our client"], "azp": "our client"}).identify().subject == "alice"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "none", "kid": "k1"},
        {"alg": "RS256", "kid": "k1"},
        {"alg": "HS256", "kid": "k1"},
        {"alg": "es256", "kid": "k1"},
        {"alg": "ES256", "kid": "unknown"},
        {"alg": "ES256", "kid": "k1", "typ": "at+jwt"},
        {"alg": "ES256", "kid": "k1", "crit": ["exp"]},
        {"alg": "ES256", "kid": "k1", "zip": "DEF"},
    ],
)
def test_a_token_with_another_header_is_refused(header: dict[str, Any]) -> None:
    """RFC 8725: the key chooses the algorithm, an access token is no ID token, an extension is not passed over."""
    assert refused(FakeIssuer(header=header)).startswith("ID token: ")


def test_a_token_without_a_signature_is_refused() -> None:
    issuer = FakeIssuer()
    head, claims, _ = issuer.id_token().split(".")
    nothing = base64url_encode(json.dumps({"alg": "none", "kid": "k1"}).encode())
    for raw in (f"{nothing}.{claims}.", f"{head}.{claims}.", f"{head}.{claims}"):
        assert refused(replace(issuer, raw=raw)).startswith("ID token: ")


def test_the_public_key_is_no_shared_secret() -> None:
    """The classic confusion: HS256 with the published key as its secret, in each form that a library may take."""
    issuer = FakeIssuer()
    _, claims, _ = issuer.id_token().split(".")
    head = base64url_encode(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
    key: Any = ECAlgorithm(ECAlgorithm.SHA256).from_jwk(dict(PUBLIC))
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), json.dumps(published()).encode(), b""):
        signature = hmac.new(secret, f"{head}.{claims}".encode(), hashlib.sha256).digest()
        raw = f"{head}.{claims}.{base64url_encode(signature)}"
        assert "no key of this id and algorithm" in refused(replace(issuer, raw=raw))


def test_another_keys_signature_is_refused() -> None:
    assert "the signature is not the key's" in refused(FakeIssuer(private=OTHER_PRIVATE))


def test_a_key_in_the_header_is_not_used() -> None:
    """`jwk` and `jku` would let whoever signs bring the key."""
    header = {"alg": "ES256", "jwk": dict(OTHER_PUBLIC), "jku": "https://evil.example/keys"}
    issuer = FakeIssuer(header=header, private=OTHER_PRIVATE)
    assert "the signature is not the key's" in refused(issuer)
    assert not issuer.looks("evil.example/keys")


@pytest.mark.parametrize(
    "tokens", [{}, {"id_token": ""}, {"id_token": 7}, {"id_token": "x" * 9_000}, [], {"id_token": "a.b"}]
)
def test_without_an_id_token_nobody_has_signed_in(tokens: object) -> None:
    """An access token says what may be done, not who is there."""
    refused(FakeIssuer(answers={f"{ISSUER}/token": answer(tokens)}))


def test_what_is_no_answer_is_a_failure() -> None:
    for bad in (answer({"error": "invalid_grant"}, 400), answer({}, 302), answer(b"<html>"), answer(b"[" * 5_000)):
        for end in ("/token", "/keys", "/.well-known/openid-configuration"):
            refused(FakeIssuer(answers={ISSUER + end: bad}))


def test_an_answer_of_another_issuer_is_not_exchanged() -> None:
    """RFC 9207: in a mix-up the code is another provider's, and must not be brought to this one."""
    issuer = FakeIssuer()
    assert "another issuer's" in refused(issuer, issuer="https://evil.example")
    assert "another issuer's" in refused(FakeIssuer(), issuer="")
    assert not issuer.looks("/token")
    assert issuer.identify(issuer=ISSUER).subject == "alice"


def test_a_provider_that_names_itself_always_does() -> None:
    """RFC 9207, 2.4: where the metadata promises `iss`, an answer without it is refused."""
    issuer = FakeIssuer(metadata={"authorization_response_iss_parameter_supported": True})
    assert "another issuer's" in refused(issuer)
    assert not issuer.looks("/token")
    assert issuer.identify(issuer=ISSUER).subject == "alice"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": f"{ISSUER}/"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://login.acme.example/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": 7},
        {"jwks_uri": "ftp://login.acme.example/keys"},
        {"jwks_uri": "https://me@evil.example/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://login.acme.example/userinfo"},
    ],
)
def test_wrong_metadata_is_refused(metadata: dict[str, Any]) -> None:
    """OpenID Connect Discovery, 4.3: the issuer must be the very one; secrets go only to https."""
    refused(FakeIssuer(metadata=metadata))


def test_metadata_and_keys_are_read_once_an_hour() -> None:
    issuer = FakeIssuer()
    provider = issuer.provider()
    for minutes in (0, 30, 59):
        issuer.identify(provider, minutes=minutes)
    assert (issuer.looks("/openid-configuration"), issuer.looks("/keys")) == (1, 1)
    issuer.identify(provider, minutes=60)
    assert (issuer.looks("/openid-configuration"), issuer.looks("/keys")) == (2, 2)


def test_a_key_that_was_taken_back_ends_within_the_hour() -> None:
    issuer = FakeIssuer()
    provider = issuer.provider()
    issuer.identify(provider)
    issuer.keys = [published("k2", OTHER_PUBLIC)]
    assert "no key of this id" in refused(issuer, provider=provider, minutes=61)


def test_a_new_key_is_looked_up() -> None:
    """A provider may change its key at any time."""
    issuer = FakeIssuer()
    provider = issuer.provider()
    issuer.identify(provider)
    issuer.keys.append(published("k2", OTHER_PUBLIC))
    issuer.header, issuer.private = {"alg": "ES256", "kid": "k2"}, OTHER_PRIVATE
    assert issuer.identify(provider, seconds=61).subject == "alice"
    assert issuer.looks("/keys") == 2


def test_unknown_keys_are_looked_up_once_a_minute_at_most() -> None:
    """However many tokens come with made-up ids; a good one in between costs nothing."""
    issuer = FakeIssuer()
    provider = issuer.provider()
    issuer.identify(provider)
    for seconds in (10, 20, 59):
        issuer.header = {"alg": "ES256", "kid": f"made up {seconds}"}
        refused(issuer, provider=provider, seconds=seconds)
    assert issuer.looks("/keys") == 1
    refused(issuer, provider=provider, seconds=60)
    refused(issuer, provider=provider, seconds=61)
    assert issuer.looks("/keys") == 2
    issuer.header = {"alg": "ES256", "kid": "k1"}
    assert issuer.identify(provider, seconds=62).subject == "alice"
    assert issuer.looks("/keys") == 2


def test_keys_that_can_not_be_read_are_asked_for_once_a_minute_too() -> None:
    issuer = FakeIssuer(answers={f"{ISSUER}/keys": answer({}, 500)})
    provider = issuer.provider()
    for seconds in (0, 1, 2):
        refused(issuer, provider=provider, seconds=seconds)
    assert issuer.looks("/keys") == 1
    del issuer.answers[f"{ISSUER}/keys"]
    assert issuer.identify(provider, seconds=60).subject == "alice"


@pytest.mark.parametrize(
    "keys",
    [
        [published(f"k{number}") for number in range(51)],
        [published(), published("k1", OTHER_PUBLIC)],
        [],
        ["k1"],
        {"k1": published()},
        [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1", "alg": "HS256"}],
        [{**published(), "use": "enc"}],
    ],
)
def test_a_set_of_keys_that_is_none_is_refused(keys: Any) -> None:
    """Too many, two of one id, none, of another shape, symmetric, for something else."""
    refused(FakeIssuer(keys=keys))


def test_the_address_is_asked_for_where_the_token_has_none() -> None:
    """OpenID Connect Core, 5.3: with the access token, which goes nowhere else."""
    told = {"sub": "alice", "email": "alice@wonder.example", "email_verified": True, "iss": "https://evil.example"}
    issuer = FakeIssuer(claims={"email": None, "email_verified": None}, userinfo=told)
    assert issuer.identify() == Identity(ISSUER, "alice", "alice@wonder.example", True, "Alice")
    [asked] = [asked for asked in issuer.asked if asked.url.endswith("/userinfo")]
    assert asked.headers["authorization"] == "Bearer at"
    complete = FakeIssuer(userinfo=told)
    complete.identify()
    assert not complete.looks("/userinfo")


def test_what_is_told_of_somebody_else_is_refused() -> None:
    """5.3.2: an access token of another's, put in place of this one."""
    issuer = FakeIssuer(claims={"email": None}, userinfo={"sub": "mallory", "email": "m@wonder.example"})
    assert "somebody else" in refused(issuer)


@pytest.mark.parametrize("verified", [None, False, "false", "no", 0, 2, ["true"], {}])
def test_an_address_is_verified_only_where_that_is_said(verified: object) -> None:
    issuer = FakeIssuer(claims={"email_verified": verified}, userinfo={"sub": "alice"})
    assert issuer.identify().email_verified is False


@pytest.mark.parametrize("email", [7, "", "x" * 255, ["alice@wonder.example"]])
def test_what_is_no_address_is_none(email: object) -> None:
    assert FakeIssuer(claims={"email": email}).identify().email is None


def microsoft(**more: Any) -> FakeIssuer:
    url = "https://login.microsoftonline.com"
    settings = replace(
        SETTINGS, issuer=f"{url}/{TENANT}/v2.0", authority=f"{url}/common/v2.0", verified_claim="xms_edov"
    )
    claims = {"iss": f"{url}/{TENANT_ID}/v2.0", "tid": TENANT_ID, **more.pop("claims", {})}
    return FakeIssuer(settings=settings, claims=claims, **more)


def test_a_provider_of_many_tenants_names_each() -> None:
    """The issuer is the tenant's, so one subject of two tenants is two people."""
    identity = microsoft().identify(issuer=f"https://login.microsoftonline.com/{TENANT_ID}/v2.0")
    assert identity.issuer == f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": OTHER_TENANT},
        {"tid": None},
        {"tid": 7},
        {"tid": "common"},
        {"tid": "x/../common"},
        {"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"iss": f"https://evil.example/{TENANT_ID}/v2.0"},
    ],
)
def test_a_tenant_speaks_for_itself_alone(claims: dict[str, Any]) -> None:
    refused(microsoft(claims=claims))


def test_a_tenants_own_key_signs_for_it_alone() -> None:
    """Microsoft publishes keys of single tenants in the common set, with their issuer."""
    other = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    assert "another tenant's" in refused(microsoft(keys=[published(issuer=other)]))
    for good in (TENANT_ID, TENANT):
        keys = [published(issuer=f"https://login.microsoftonline.com/{good}/v2.0")]
        assert microsoft(keys=keys).identify().subject == "alice"


@pytest.mark.parametrize(
    "issuer",
    ["https://login.microsoftonline.com/common/v2.0", f"https://evil.example/{TENANT_ID}/v2.0", "https://login.micro"],
)
def test_a_mix_up_of_tenants_is_seen(issuer: str) -> None:
    assert "another issuer's" in refused(microsoft(), issuer=issuer)


def test_a_tenants_word_on_an_address_is_not_enough() -> None:
    """nOAuth: any tenant writes any address into `email`. `xms_edov` says that the domain is its own."""
    assert microsoft(claims={"email_verified": True}).identify().email_verified is False
    for said in (True, 1, "1", "true"):
        assert microsoft(claims={"xms_edov": said}).identify().email_verified is True


def test_a_signed_token_is_what_the_helpers_make() -> None:
    """The tests above refuse for the reason they name: the same token, unchanged, is taken."""
    issuer = FakeIssuer()
    raw = signed({"alg": "ES256", "kid": "k1", "typ": "JWT"}, json.loads(_payload(issuer.id_token())), PRIVATE)
    assert replace(issuer, raw=raw).identify().subject == "alice"


def _payload(token: str) -> bytes:
    text = token.split(".")[1]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
