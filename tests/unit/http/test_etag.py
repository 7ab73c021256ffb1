"""Versions of things, and the conditions that name them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.http import etag
from lib.kernel.errors import BadRequest, PreconditionFailed, PreconditionRequired
from tests.unit.fakes import FakeHeaders


def headers(**values: str) -> FakeHeaders:
    return FakeHeaders({name.replace("_", "-"): value for name, value in values.items()})


@given(st.integers(1, 10**15 - 1))
def test_a_version_matches_its_own_tag_and_no_other(version: int) -> None:
    """What we gave out as an ETag comes back as If-Match."""
    own = headers(if_match=etag.etag(version))
    etag.check_match(own, version)
    etag.required_match(own, version)
    assert etag.not_modified(headers(if_none_match=etag.etag(version)), version)
    assert not etag.not_modified(headers(if_none_match=etag.etag(version)), version + 1)
    with pytest.raises(PreconditionFailed):
        etag.check_match(own, version + 1)


def test_a_tag_is_a_quoted_string() -> None:
    """RFC 9110, 8.8.3."""
    assert etag.etag(7) == '"7"'


def test_one_of_a_list_is_enough() -> None:
    """A cache may hold several versions."""
    assert etag.not_modified(headers(if_none_match='"1", W/"3" ,"7"'), 3)
    etag.check_match(headers(if_match='"1", "3"'), 3)


def test_a_star_matches_whatever_is_there() -> None:
    """And nothing where nothing is (RFC 9110, 13.1.1)."""
    etag.check_match(headers(if_match="*"), 5)
    assert etag.not_modified(headers(if_none_match=" * "), 5)
    with pytest.raises(PreconditionFailed):
        etag.check_match(headers(if_match="*"), None)


def test_if_none_match_star_only_creates() -> None:
    """RFC 9110, 13.1.2: it guards against overwriting what somebody else made."""
    etag.check_match(headers(if_none_match="*"), None)
    with pytest.raises(PreconditionFailed):
        etag.check_match(headers(if_none_match="*"), 1)


def test_without_a_condition_anything_goes_unless_one_is_required() -> None:
    """A partial update must say which version it changes (RFC 6585, 3)."""
    etag.check_match(headers(), 1)
    assert not etag.not_modified(headers(), 1)
    with pytest.raises(PreconditionRequired):
        etag.required_match(headers(), 1)


@pytest.mark.parametrize("tag", ["7", "'7'", '"x"', '""', '"7', '"1" "2"', ',"7"', '"٣"', '"-1"', '"' + "9" * 16 + '"'])
def test_what_is_no_tag_of_ours_is_refused(tag: str) -> None:
    """A condition that can't be read must not pass as one that holds."""
    with pytest.raises((BadRequest, PreconditionFailed)):
        etag.check_match(headers(if_match=tag), 7)


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    """Any header value ends in a yes, a no or an error of ours."""
    for condition in (headers(if_match=text), headers(if_none_match=text)):
        with suppress(BadRequest, PreconditionFailed):
            etag.check_match(condition, 1)
            etag.not_modified(condition, 1)
