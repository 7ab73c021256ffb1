"""The cookie of a session: what browsers are told, and what is read of what they send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.http.cookies import SESSION_COOKIE, clearing, read, setting


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (None, None),
        ("", None),
        (f"{SESSION_COOKIE}=x", "x"),
        (f"a=b; {SESSION_COOKIE}=x; c=d", "x"),
        (f"a=b;{SESSION_COOKIE}=x", "x"),
        (f"{SESSION_COOKIE}=x=y", "x=y"),
        (f"{SESSION_COOKIE}=", ""),
        (f"x{SESSION_COOKIE}=x", None),
        (f"{SESSION_COOKIE.lower()}=x", None),
        (f"{SESSION_COOKIE}", ""),
        (f"{SESSION_COOKIE}=x; {SESSION_COOKIE}=x", None),
        (f"{SESSION_COOKIE}=x; a={'b' * 16384}", None),
    ],
)
def test_the_cookie_is_read(header: str | None, value: str | None) -> None:
    """By its exact name; one that is there twice, or in a header without an end, is none."""
    assert read(header) == value


@given(st.text())
def test_no_header_breaks_the_reader(header: str) -> None:
    """Whatever comes, it is a value or none."""
    value = read(header)
    assert value is None or value in header


def test_what_a_browser_is_told() -> None:
    """`__Host-` demands Secure and Path=/, and no Domain."""
    assert setting("v", 60) == f"{SESSION_COOKIE}=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
    assert clearing() == f"{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
