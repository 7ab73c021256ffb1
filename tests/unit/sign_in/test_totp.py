"""One-time codes: RFC 6238's own vectors, the drift that is allowed, and nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import log2
from string import ascii_lowercase, digits
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.sign_in import recovery_codes, totp

SECRET = b"12345678901234567890"
NOW = datetime.fromtimestamp(59, UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_are_the_standards(seconds: int, code: str) -> None:
    """RFC 6238, appendix B; of its eight digits the last six."""
    assert totp.code_at(SECRET, seconds // 30) == code[-6:]
    assert totp.matching_step(SECRET, code[-6:], datetime.fromtimestamp(seconds, UTC), None) == seconds // 30


@pytest.mark.parametrize(("drift", "accepted"), [(-2, False), (-1, True), (0, True), (1, False), (2, False)])
def test_a_code_counts_in_its_step_and_the_next(drift: int, accepted: bool) -> None:
    """For 60 seconds at most: nothing of what is to come."""
    now = NOW + timedelta(hours=1)
    step = int(now.timestamp()) // 30 + drift
    found = totp.matching_step(SECRET, totp.code_at(SECRET, step), now, None)
    assert found == (step if accepted else None)


def test_no_code_works_twice_nor_an_older_one() -> None:
    """RFC 6238, 5.2: the step that was used is the least that is over."""
    now = NOW + timedelta(hours=1)
    step = int(now.timestamp()) // 30
    for drift in (-1, 0):
        assert totp.matching_step(SECRET, totp.code_at(SECRET, step + drift), now, step) is None
    assert totp.matching_step(SECRET, totp.code_at(SECRET, step), now, step - 1) == step


@pytest.mark.parametrize("code", ["", "94287", "9428708", "2870820", "287 82", "૨૮૭૦૮૨", "-87082"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert totp.matching_step(SECRET, code, NOW, None) is None


def test_an_authenticator_gets_what_it_needs() -> None:
    """As the key URI format says: a label, the secret in base32, and the parameters."""
    address = urlsplit(totp.uri(SECRET, "a+b&c@wonder.example"))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/Headgate%3Aa%2Bb%26c@wonder.example")
    assert parse_qs(address.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["Headgate"], "digits": ["6"], "period": ["30"],
    }  # fmt: skip


def test_secrets_are_random() -> None:
    """160 bits, as RFC 4226 recommends."""
    made = {totp.new_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(secret) for secret in made} == {20}


def test_recovery_codes_are_random_and_easy_to_read() -> None:
    """In groups, and nothing in them looks like something else. Every place takes every one of 31 characters."""
    codes = [code for _ in range(30) for code in recovery_codes.new_codes()]
    assert len(set(codes)) == 300
    assert {tuple(len(group) for group in code.split("-")) for code in codes} == {(4,) * 6}
    used = [set(place) for place in zip(*(code.replace("-", "") for code in codes), strict=True)]
    assert set().union(*used) == set(ascii_lowercase + digits) - set("01ilo")
    assert min(map(len, used)) > 25


def test_a_recovery_code_has_112_bits_at_least() -> None:
    """ASVS V6.5.2."""
    [code, *_] = recovery_codes.new_codes()
    assert len(code.replace("-", "")) * log2(31) >= 112


def test_a_recovery_codes_hash_is_the_persons() -> None:
    """Typed in whatever way; the same code of somebody else has another hash, and so has it with another secret."""
    [code, *_] = recovery_codes.new_codes()
    hashed = recovery_codes.code_hash(code, "alice", b"p")
    assert hashed == recovery_codes.code_hash(f" {code.upper().replace('-', ' ')}", "alice", b"p")
    assert hashed != recovery_codes.code_hash(code, "bob", b"p")
    assert hashed != recovery_codes.code_hash(code, "alice", b"q")
