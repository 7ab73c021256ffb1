"""The decision: every way to be refused, and that nothing but all of it together is allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.access.access import CURRENT, own_org
from lib.access.policy import (
    PERMISSIONS,
    Allow,
    Attributes,
    Deny,
    Role,
    decide,
    decide_grant,
    permissions_of,
)
from lib.access.principal import ALL_SCOPES, NONE, SELF, Permission, Principal
from lib.kernel.errors import NotFound
from tests.unit.fakes import NOW

ORG, OTHER = "own".ljust(36, "-"), "other".ljust(36, "-")
KEY = Principal(ORG, "key", frozenset({"keys:read"}), None)
PERSON = Principal(ORG, "key", PERMISSIONS[Role.VIEWER], None, user_id="ada", role="viewer", kind="session")
ADMIN = replace(PERSON, scopes=PERMISSIONS[Role.ADMIN], role="admin")
OWNER = replace(PERSON, scopes=PERMISSIONS[Role.OWNER], role="owner")

principals = st.builds(
    Principal,
    org_id=st.sampled_from([ORG, OTHER, NONE]),
    key_id=st.just("key"),
    scopes=st.frozensets(st.sampled_from([*ALL_SCOPES, "unknown"])),
    expires_at=st.sampled_from([None, NOW, NOW + timedelta(seconds=1)]),
    user_id=st.sampled_from([None, "ada"]),
    kind=st.sampled_from(["key", "browser_key", "token", "session"]),
    models=st.sampled_from([None, frozenset[str](), frozenset({"sim/chat"})]),
    ip_ranges=st.sampled_from([None, frozenset[str](), frozenset({"192.0.2.0/24", "2001:db8::/32"})]),
    origins=st.sampled_from([None, frozenset({"https://app.example"})]),
    lacks_second_factor=st.booleans(),
)
attributes = st.builds(
    Attributes,
    st.just(NOW),
    st.sampled_from([None, "192.0.2.7", "192.0.3.7", "2001:db8::1", "nonsense"]),
    st.sampled_from([None, "https://app.example", "https://evil.example"]),
    st.sampled_from([None, "sim/chat", "sim/embed"]),
)


@given(principal=principals, action=st.sampled_from([*ALL_SCOPES, SELF, "unknown"]), seen=attributes)
def test_what_is_allowed_breaks_no_rule(principal: Principal, action: str, seen: Attributes) -> None:
    """Each rule, said again in other words; and whoever breaks none is allowed."""
    person = principal.user_id is not None and principal.kind in ("token", "session")
    kept = [
        principal.expires_at is None or principal.expires_at > NOW,
        principal.ip_ranges is None or (bool(principal.ip_ranges) and seen.address in ("192.0.2.7", "2001:db8::1")),
        principal.origins is None or seen.origin == "https://app.example",
        principal.models is None or seen.model is None or seen.model in principal.models,
        not principal.lacks_second_factor or action == SELF,
        person if action == SELF else action in principal.scopes,
    ]
    assert (decide(principal, action, seen) == Allow()) == all(kept)


@pytest.mark.parametrize("org_id", [OTHER, "", ORG.upper(), f"{ORG} "])
def test_another_organisation_does_not_exist(org_id: str) -> None:
    """Whatever the caller may do at home; who belongs nowhere reaches none, by no name."""
    own_org(PERSON, ORG, "thing")
    own_org(PERSON, CURRENT, "thing")
    for caller, named in (
        (PERSON, org_id),
        (replace(PERSON, org_id=NONE), org_id),
        (replace(PERSON, org_id=NONE), CURRENT),
    ):
        with pytest.raises(NotFound, match=r"^There is no such thing\.$"):
            own_org(caller, named, "thing")


def test_a_refusal_says_what_is_missing() -> None:
    """To a key and to a person in their own words."""
    assert decide(KEY, "keys:write") == Deny("This key lacks the scope keys:write.")
    assert decide(PERSON, "keys:write") == Deny("You lack the scope keys:write.")
    assert decide(KEY, SELF) == Deny("This is for people who have signed in, not for keys.")


def test_without_the_codes_that_the_organisation_asks_for_one_may_do_what_is_ones_own() -> None:
    """ASVS V6.3.3. Else nobody could switch codes on."""
    without = replace(OWNER, lacks_second_factor=True)
    for scope in ALL_SCOPES:
        decision = decide(without, scope)
        assert isinstance(decision, Deny)
        assert decision.code == "second_factor_required"
    assert decide(without, SELF) == Allow()


@pytest.mark.parametrize("address", [None, "", "nonsense", "192.0.2.7, 10.0.0.1", "192.0.3.1", "::192.0.2.7"])
def test_an_address_that_is_not_certainly_within_is_outside(address: str | None) -> None:
    """No header of several addresses. A range holds an IPv4 address also where it is written inside an IPv6 one."""
    bound = replace(KEY, ip_ranges=frozenset({"192.0.2.0/24"}))
    assert isinstance(decide(bound, "keys:read", attributes=Attributes(address=address)), Deny)
    assert decide(bound, "keys:read", attributes=Attributes(address="::ffff:192.0.2.7")) == Allow()


def test_every_role_has_less_than_the_one_above() -> None:
    """Owners have all; nobody else may change the organisation; who looks changes nothing."""
    assert PERMISSIONS[Role.OWNER] == set(ALL_SCOPES)
    assert PERMISSIONS[Role.ADMIN] == set(ALL_SCOPES) - {Permission.ORGS_WRITE}
    assert PERMISSIONS[Role.VIEWER] < PERMISSIONS[Role.DEVELOPER] < PERMISSIONS[Role.ADMIN]
    assert all(scope.endswith(":read") for scope in PERMISSIONS[Role.VIEWER])
    assert set(PERMISSIONS) == set(Role)


def test_a_custom_role_stands_in_the_place_of_the_role() -> None:
    """Also where it says nothing, and never with a permission that there is not (any more)."""
    assert permissions_of("owner", frozenset()) == frozenset()
    assert permissions_of("viewer", frozenset({"keys:write", "gone:write"})) == {"keys:write"}
    assert permissions_of("viewer", None) == PERMISSIONS[Role.VIEWER]


@given(
    held=st.frozensets(st.sampled_from(list(ALL_SCOPES))),
    custom=st.none() | st.frozensets(st.sampled_from(list(ALL_SCOPES))),
    role=st.sampled_from(list(Role)),
)
def test_nobody_gives_what_it_has_not(held: frozenset[str], custom: frozenset[str] | None, role: Role) -> None:
    """Whatever the caller is called."""
    if decide_grant(replace(OWNER, scopes=held), role, custom) == Allow():
        assert permissions_of(role, custom) <= held


def test_a_bound_key_says_not_what_people_may_do() -> None:
    """It could invite its holder, who would be rid of the models, the addresses, the pages and the team's budget."""
    every, some = replace(KEY, scopes=frozenset(ALL_SCOPES)), frozenset({"x"})
    assert decide_grant(every, "viewer", None) == Allow()
    for bound in ({"models": some}, {"ip_ranges": some}, {"origins": some}, {"team_id": "t"}):
        assert isinstance(decide_grant(replace(every, **bound), "viewer", None), Deny)


def test_only_owners_make_owners() -> None:
    """Neither an administrator, nor a key that may do everything."""
    assert decide_grant(OWNER, "owner", None) == Allow()
    assert isinstance(decide_grant(ADMIN, "owner", None), Deny)
    assert isinstance(decide_grant(replace(KEY, scopes=frozenset(ALL_SCOPES)), "owner", None), Deny)
    assert decide_grant(ADMIN, "admin", None) == Allow()
    assert isinstance(decide_grant(PERSON, "admin", None), Deny)
