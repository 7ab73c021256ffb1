"""The tree of errors: each class has its own status, a stable code, and the headers that its status asks for."""

from __future__ import annotations

from collections import Counter

import pytest

from lib.kernel import errors
from lib.kernel.errors import HeadgateError, InternalError, MethodNotAllowed, Unauthorized, Unavailable

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HeadgateError)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_has_a_status_a_code_and_a_sentence(kind: type[HeadgateError]) -> None:
    """Clients decide by status and code; a reader of the source finds what it is for."""
    assert 400 <= kind.status <= 599
    assert kind.code == kind.code.lower()
    assert kind.__doc__


def test_statuses_and_codes_are_unique() -> None:
    """One status, one class: so a status in an answer leads to one place in the source."""
    assert max(Counter(kind.status for kind in CLASSES if kind is not HeadgateError).values()) == 1
    assert max(Counter(kind.code for kind in CLASSES if kind is not HeadgateError).values()) <= 2


def test_unauthorized_names_the_scheme() -> None:
    """RFC 9110, 11.6.1: a 401 has WWW-Authenticate."""
    assert Unauthorized("no").headers == {"www-authenticate": 'Bearer realm="headgate"'}


def test_unavailable_says_when_to_try_again() -> None:
    """A 503 has Retry-After."""
    assert Unavailable("away", retry_after_seconds=7).headers == {"retry-after": "7"}


def test_method_not_allowed_names_the_allowed_ones() -> None:
    """Sorted, so that the answer is always the same."""
    assert MethodNotAllowed(["POST", "GET"]).headers == {"allow": "GET, POST"}


def test_an_internal_error_tells_nothing() -> None:
    """The cause is in the log."""
    assert InternalError().status == 500
    assert "request id" in InternalError().message


def test_what_one_error_is_told_stays_with_it() -> None:
    """Details and headers are copies: two answers never share them."""
    details = [{"field": "a"}]
    failure = HeadgateError("x", details=details, code="special", param="a")
    details.append({"field": "b"})
    assert failure.details == [{"field": "a"}]
    assert (failure.code, failure.param, HeadgateError.code) == ("special", "a", "internal_error")
