"""Tokens, read strictly: one text for one token, no choice for whoever sends it, and every claim looked at."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.config import SessionConfig
from lib.kernel.ids import new_id
from lib.tokens import access_tokens, jwk, jwt
from lib.tokens.jwt import InvalidToken, base64url_decode, base64url_encode, check_claims, claims_of, parse
from tests.jose_waivers import WAIVED
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.cpython_signatures import CPythonSignatures
from tests.vectors import jose_cases

SIGNATURES = CPythonSignatures()
PUBLIC, PRIVATE = run(SIGNATURES.new_key("ES256"))
KEY = jwk.verifying_key({**PUBLIC, "kid": "k1", "alg": "ES256"})
NOW_SECONDS = int(NOW.timestamp())
CLAIMS = {"iss": "https://us.example", "aud": "api", "sub": "u", "iat": NOW_SECONDS, "exp": NOW_SECONDS + 900}
NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(200, 400).map(lambda digits: 10**digits))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=4,
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def made(claims: Mapping[str, Any] = CLAIMS, key: jwk.VerifyingKey = KEY) -> str:
    return run(jwt.issue(SIGNATURES, key, PRIVATE, "at+jwt", claims))


def with_header(header: object, payload: bytes = b"{}") -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{base64url_encode(text)}.{base64url_encode(payload)}.AAAA"


def verify(text: str, *keys: jwk.VerifyingKey) -> Mapping[str, Any]:
    token = parse(text)
    run(jwt.verify(SIGNATURES, token, keys or [KEY]))
    return claims_of(token)


@given(st.binary(max_size=200))
def test_base64url_goes_there_and_back(data: bytes) -> None:
    """What we write, we read, and so does everybody else."""
    text = base64url_encode(data)
    assert base64url_decode(text) == data
    assert base64.urlsafe_b64decode(text + "==") == data


@given(st.text(st.one_of(st.sampled_from(ALPHABET), st.sampled_from("=+/ \n?é٠")), max_size=12))
def test_base64url_has_one_text_for_one_value(text: str) -> None:
    """Nothing but the canonical text is read: no padding, no other character, no bits that mean nothing."""
    try:
        decoded = base64url_decode(text)
    except InvalidToken:
        decoded = None
    canonical = set(text) <= set(ALPHABET) and len(text) % 4 != 1
    if canonical:
        canonical = base64url_encode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) == text
    assert (decoded is not None) == canonical


@given(place=st.integers(0, 10_000), character=st.one_of(st.sampled_from(ALPHABET + "."), st.characters()))
def test_a_token_that_is_changed_anywhere_is_refused(place: int, character: str) -> None:
    """Every character counts, the last bits of each part too."""
    text = TOKEN
    at = place % len(text)
    changed = text[:at] + character + text[at + 1 :]
    if changed != text:
        with pytest.raises(InvalidToken):
            verify(changed)


TOKEN = made()


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever comes, it is a token or it is refused."""
    try:
        parse(text)
    except InvalidToken:
        return
    assert text.count(".") == 2


@given(st.lists(st.text(st.sampled_from(ALPHABET), max_size=8), min_size=1, max_size=6))
def test_a_token_has_three_parts(parts: list[str]) -> None:
    """Not two, not four; and a header that is JSON, which no such short text is."""
    with pytest.raises(InvalidToken):
        parse(".".join(parts))


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": None},
        {"alg": 5},
        {"alg": "ES256", "kid": 7},
        {"alg": "ES256", "crit": ["exp"]},
        {"alg": "ES256", "crit": []},
        {"alg": "ES256", "b64": False},
        {"alg": "ES256", "zip": "DEF"},
        [],
        "x",
        None,
        b"",
        b"{",
        b'{"alg":"none","alg":"ES256"}',
        b'{"alg":"ES256","x":NaN}',
        b'{"alg":"ES256","x":' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'\xff{"alg":"ES256"}',
        b'{"alg":"ES256"} x',
    ],
)
def test_a_header_that_is_not_taken(header: object) -> None:
    """No algorithm, an extension, a member twice, what is not JSON."""
    with pytest.raises(InvalidToken):
        parse(with_header(header))


def test_an_endless_token_is_not_looked_at() -> None:
    """8 KiB is far more than any of ours."""
    with pytest.raises(InvalidToken, match="three parts"):
        parse(with_header({"alg": "ES256"}, b"x" * 9000))


def test_the_claims_of_a_good_token() -> None:
    """As they were put in, also by another reader: PyJWT."""
    assert verify(TOKEN) == CLAIMS
    read = pyjwt.decode(
        TOKEN, pyjwt.PyJWK(PUBLIC, "ES256"), algorithms=["ES256"], audience="api", options={"verify_exp": False}
    )
    assert read == CLAIMS
    assert pyjwt.get_unverified_header(TOKEN) == {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}


def test_the_algorithm_is_the_keys() -> None:
    """Neither `none`, nor HMAC with the public key as its secret, nor another asymmetric one."""
    secret = base64url_decode(PUBLIC["x"])
    unsigned = with_header({"alg": "none", "kid": "k1"}).removesuffix("AAAA")
    confused = pyjwt.encode(CLAIMS, secret, "HS256", headers={"kid": "k1"})
    relabelled = ".".join([base64url_encode(b'{"alg":"EdDSA","kid":"k1"}'), *TOKEN.split(".")[1:]])
    for text in (unsigned, confused, relabelled):
        with pytest.raises(InvalidToken, match="no key"):
            verify(text)


def test_the_key_is_the_one_that_is_named() -> None:
    """Another one's signature is refused, and so is a token that could be of two keys."""
    other_public, _ = run(SIGNATURES.new_key("ES256"))
    other = jwk.verifying_key({**other_public, "kid": "k2"})
    assert verify(TOKEN, other, KEY) == CLAIMS
    with pytest.raises(InvalidToken, match="no key"):
        verify(TOKEN, other)
    with pytest.raises(InvalidToken, match="signature"):
        verify(TOKEN, jwk.verifying_key({**other_public, "kid": "k1"}))
    with pytest.raises(InvalidToken, match="more than one"):
        verify(TOKEN, KEY, jwk.verifying_key({**other_public, "kid": "k1"}))
    nameless = pyjwt.encode(CLAIMS, pyjwt.PyJWK(PRIVATE, "ES256"), "ES256")
    assert verify(nameless, KEY) == CLAIMS
    with pytest.raises(InvalidToken, match="more than one"):
        verify(nameless, KEY, other)


def test_a_key_that_comes_with_the_token_is_nobodys() -> None:
    """`jwk` in the header is an attacker's own (RFC 8725, 3.5)."""
    public, private = run(SIGNATURES.new_key("ES256"))
    headers = {"kid": "k1", "jwk": public}
    text = pyjwt.encode(CLAIMS, pyjwt.PyJWK(private, "ES256"), "ES256", headers=headers)
    with pytest.raises(InvalidToken, match="signature"):
        verify(text)


def check(claims: Mapping[str, Any], **later: float) -> None:
    check_claims(claims, issuer="https://us.example", audience="api", now=NOW + timedelta(**later))


def test_good_claims() -> None:
    """One audience or several, up to the last moment, and a clock that goes a little wrong."""
    check(CLAIMS)
    check(CLAIMS | {"aud": ["x", "api"]})
    check(CLAIMS | {"nbf": NOW_SECONDS + 59, "iat": NOW_SECONDS + 59.5})
    check(CLAIMS, seconds=899)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"}, {"iss": None}, {"iss": ["https://us.example"]}, {"aud": "other"}, {"aud": []},
        {"aud": None}, {"aud": {"api": 1}}, {"sub": ""}, {"sub": 7}, {"sub": None}, {"exp": NOW_SECONDS}, {"exp": None},
        {"exp": str(NOW_SECONDS + 900)}, {"exp": True}, {"exp": float("inf")}, {"iat": NOW_SECONDS + 120},
        {"iat": None}, {"iat": "x"}, {"nbf": NOW_SECONDS + 120}, {"nbf": "x"},
    ],
)  # fmt: skip
def test_claims_that_are_wrong(wrong: dict[str, Any]) -> None:
    """Each of them is looked at, for its type too."""
    with pytest.raises(InvalidToken):
        check(CLAIMS | wrong)


@given(st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "iat", "nbf", "jti"]), JSON, max_size=3))
@example({"exp": 1e20})
@example({"exp": 10**400})
@example({"iat": -(10**400)})
@example({"nbf": -1e308})
@example({"exp": float("nan")})
def test_no_claim_breaks_the_reader(claims: dict[str, Any]) -> None:
    """Whatever stands in any of them, they are right or refused; and a time that is taken is one of the calendar."""
    try:
        check(CLAIMS | claims)
    except InvalidToken:
        return
    times: dict[str, Any] = CLAIMS | claims
    for name in ("exp", "iat", "nbf"):
        datetime.fromtimestamp(times.get(name, 0), UTC)


@given(st.dictionaries(st.sampled_from(["sub", "org", "scope", "sid", "jti", "exp"]), JSON, max_size=2))
@example({"jti": "ffffffff-ffff-7fff-bfff-ffffffffffff"})
@example({"exp": 253_402_300_799.9})
def test_no_claim_breaks_the_reader_of_access_tokens(claims: dict[str, Any]) -> None:
    """The same for what ours say: whatever is taken can be asked when it was made, and when it ends."""
    ours = {"aud": "headgate", "org": "", "scope": "", "sid": "f", "jti": new_id(NOW)}
    token = dataclasses.replace(parse(TOKEN), payload=json.dumps(CLAIMS | ours | claims).encode())
    try:
        said = access_tokens.read(token, SessionConfig(issuer="https://us.example"), NOW)
    except InvalidToken:
        return
    assert said.made_at < datetime.max.replace(tzinfo=UTC)
    assert said.expires_at > NOW


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "iat", "exp"])
def test_claims_that_are_missing(missing: str) -> None:
    with pytest.raises(InvalidToken):
        check({name: value for name, value in CLAIMS.items() if name != missing})


def test_a_token_ends_at_its_end() -> None:
    """With no grace."""
    with pytest.raises(InvalidToken, match="expired"):
        check(CLAIMS, seconds=900)


@pytest.mark.parametrize("payload", [b"", b"x", b"[]", b'{"sub":"a","sub":"b"}', b"\xff"])
def test_claims_that_are_no_object(payload: bytes) -> None:
    with pytest.raises(InvalidToken):
        claims_of(parse(with_header({"alg": "ES256"}, payload)))


@pytest.mark.parametrize("name", ["json_web_signature_test", "json_web_key_test"])
def test_wycheproof_on_cpython(name: str) -> None:
    """The same as tests/contract/test_signatures.py, by another implementation of the cryptography."""
    for case in jose_cases(name):
        try:
            run(jwt.verify(SIGNATURES, parse(case.token), jwk.verifying_keys(case.key_set)))
            taken = True
        except (InvalidToken, jwk.UnusableKey):
            taken = False
        assert taken == (case.valid and case.name not in WAIVED), case.name


def test_wycheproofs_bad_base64_is_refused_by_the_reader() -> None:
    """Before any key is looked for. Cases 367 and 370 are, to the letter, the valid 357: nothing is wrong with them."""
    numbers = {*range(360, 372), 374, 375} - {367, 370}
    bad = {f"json_web_signature_test:{number}" for number in numbers}
    seen = 0
    for case in jose_cases("json_web_signature_test"):
        if case.name in bad:
            seen += 1
            with pytest.raises(InvalidToken, match="base64url"):
                parse(case.token)
    assert seen == len(bad)
