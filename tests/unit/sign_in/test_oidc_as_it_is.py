"""OpenID providers as they are: what Okta, Auth0, authentik and Zitadel do, and most others do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lib.issuers.oidc_client import ProviderFailure
from tests.unit.sign_in.fake_issuer import ISSUER, SETTINGS, FakeIssuer


def refused(fake: FakeIssuer, **more: Any) -> str:
    with pytest.raises(ProviderFailure) as failure:
        fake.identify(**more)
    return str(failure.value)


@pytest.mark.parametrize(
    ("told", "verified"),
    [
        ({"email": "alice@wonder.example", "email_verified": True}, True),
        ({"email": "alice@wonder.example", "email_verified": False}, False),
        ({"email": "other@wonder.example", "email_verified": True}, False),
        ({"email_verified": True}, False),
        ({}, False),
    ],
)
def test_whether_an_address_is_verified_may_be_told_at_userinfo_alone(told: dict[str, Any], verified: bool) -> None:
    """Okta does so. What it says counts for the address of the ID token, and for no other."""
    issuer = FakeIssuer(claims={"email_verified": None}, userinfo={"sub": "alice", **told})
    identity = issuer.identify()
    assert (identity.email, identity.email_verified) == ("alice@wonder.example", verified)
    said = FakeIssuer(claims={"email_verified": False}, userinfo={"sub": "alice", **told})
    assert not said.identify().email_verified
    own = FakeIssuer(settings=replace(SETTINGS, verified_claim="xms_edov"), claims={"email_verified": None})
    own.identify()
    assert not said.looks("/userinfo")
    assert not own.looks("/userinfo")


def test_an_issuer_is_called_as_it_calls_itself() -> None:
    """Auth0 and authentik have a slash at the end. In the answer and in the token it must stand then, too."""
    called, other = f"{ISSUER}/", {"iss": ISSUER}
    metadata = {"issuer": called, "authorization_response_iss_parameter_supported": True}
    issuer = FakeIssuer(metadata=metadata, claims={"iss": called})
    assert issuer.identify(issuer=called).issuer == called
    assert "another issuer's" in refused(issuer, issuer=ISSUER)
    assert "Invalid issuer" in refused(FakeIssuer(metadata=metadata, claims=other), issuer=called)
    assert "another issuer" in refused(FakeIssuer(metadata={"issuer": f"{called}/"}))


def test_a_token_may_be_for_others_too_if_it_was_made_for_us() -> None:
    """Zitadel names a project's every client as its audience, and in `azp` the one that has asked."""
    claims = {"aud": ["another client", "our client"], "azp": "our client"}
    assert FakeIssuer(claims=claims).identify().subject == "alice"
