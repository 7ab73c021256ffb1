"""A bookmark keeps a client's own writes visible where lists may be answered by a replica."""

from __future__ import annotations

import pytest

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters

HEADER = "x-headgate-bookmark"


@pytest.mark.skipif(STORE != "d1", reason="on PostgreSQL every read sees every write")
def test_a_write_answers_with_a_bookmark_and_a_list_that_presents_it_has_the_write(own_headgate: Headgate) -> None:
    """Whoever writes and lists, again and again, always finds what it wrote."""
    for _ in range(5):
        name = letters()
        written = own_headgate.put(f"/api/v1/models/{name}", {"provider": "sim", "upstream_model": "chat"})
        bookmark = written.headers[HEADER]
        listed = own_headgate.call("GET", "/api/v1/models?limit=100", headers={HEADER: bookmark})
        assert name in [model["id"] for model in listed.json()["data"]]
        assert listed.headers[HEADER] >= bookmark


def test_a_read_alone_needs_no_bookmark(own_headgate: Headgate) -> None:
    assert HEADER not in own_headgate.get("/api/v1/models").headers


@pytest.mark.skipif(STORE != "postgres", reason="D1 has replicas")
def test_postgres_has_no_bookmarks(own_headgate: Headgate) -> None:
    assert HEADER not in own_headgate.put("/api/v1/models/x", {"provider": "sim", "upstream_model": "chat"}).headers


@pytest.mark.parametrize(
    "bookmark",
    ["", "x", "first-primary", "first-unconstrained", "0" * 5000, "ffffffff-ffffffff-ffffffff-" + "f" * 32, "0-0", "é"],
)
def test_a_bookmark_that_is_none_of_ours_does_no_harm(own_headgate: Headgate, bookmark: str) -> None:
    """It is as if there were none, or the list comes all the same."""
    headers = {HEADER: bookmark.encode()}
    assert own_headgate.call("GET", "/api/v1/keys", headers=headers).status_code == 200  # type: ignore[arg-type]
