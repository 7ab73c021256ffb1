"""Which of a provider's headers reach the client: only those that are listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.call.answer_headers import kept, untransformed
from lib.gateway.formats.openai.dialect import OPENAI


@pytest.mark.parametrize(
    "name",
    [
        "content-type",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "x-should-retry",
        "openai-processing-ms",
    ],
)
def test_what_sdks_use_is_kept(name: str) -> None:
    """They retry by these, and report by these."""
    assert kept({name: "1"}, OPENAI.kept) == {name: "1"}


@pytest.mark.parametrize(
    "name",
    [
        "set-cookie",
        "server",
        "via",
        "cf-ray",
        "location",
        "www-authenticate",
        "openai-organization",
        "openai-project",
        "alt-svc",
        "content-encoding",
        "content-length",
        "transfer-encoding",
        "connection",
        "strict-transport-security",
        "access-control-allow-origin",
        "x-envoy-upstream-service-time",
        "x-ratelimit",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests",
    ],
)
def test_what_names_the_upstream_or_would_be_untrue_is_not(name: str) -> None:
    """Its host, account and cookies; lengths and encodings of bytes that we may have changed; policies of its own."""
    assert kept({name: "1"}, OPENAI.kept) == {}


@given(st.dictionaries(st.text(), st.text()))
def test_an_unknown_header_is_not_kept(headers: dict[str, str]) -> None:
    """Denied unless listed."""
    listed = kept(headers, OPENAI.kept)
    assert all(name in kept({name: ""}, OPENAI.kept) for name in listed)
    assert {name: headers[name] for name in listed} == listed


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (None, "no-transform"),
        ("", "no-transform"),
        ("no-cache", "no-cache, no-transform"),
        ("no-cache, must-revalidate", "no-cache, must-revalidate, no-transform"),
        ("no-cache, No-Transform", "no-cache, No-Transform"),
    ],
)
def test_a_stream_is_not_to_be_changed_on_its_way(said: str | None, sent: str) -> None:
    """And what its provider says of caching stays."""
    headers = {"content-type": "text/event-stream", **({"cache-control": said} if said is not None else {})}
    assert untransformed(headers) == {"content-type": "text/event-stream", "cache-control": sent}
