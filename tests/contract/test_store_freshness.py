"""How fresh a read is, and what a request has cost."""

from __future__ import annotations

from lib.store.database import Read, Statement
from lib.store.tenant import Org
from lib.web.pipeline import _BOOKMARK
from tests.contract.support.store_client import Call, batch, execute, query
from tests.contract.support.store_targets import Target, model_statement

ID = {"id": str}
MODELS = "SELECT id FROM models WHERE org_id = ?"


def test_a_write_is_seen_by_every_read_after_it(target: Target, org: Org) -> None:
    """In the same request and in the next, with the bookmark and without."""
    recent, latest = (query(org, ID, MODELS, org.id, read=read) for read in (Read.RECENT, Read.LATEST))
    written = target.client.ask(batch(org, model_statement(org, "a")), recent, latest)
    assert written.outcomes == [[1], [("a",)], [("a",)]]
    for bookmark in (written.bookmark, None):
        assert target.client.ask(recent, latest, recent, bookmark=bookmark).outcomes == [[("a",)]] * 3


def test_a_bookmark_goes_on(d1_target: Target) -> None:
    """Each write tells of a later place, in the form that the pipeline lets in."""
    org = d1_target.new_org()
    first = d1_target.client.ask(batch(org, model_statement(org, "a"))).bookmark
    second = d1_target.client.ask(batch(org, model_statement(org, "b")), bookmark=first).bookmark
    assert first
    assert second
    assert _BOOKMARK.fullmatch(first)
    assert _BOOKMARK.fullmatch(second)
    assert first < second


def test_a_bookmark_that_somebody_made_up(d1_target: Target) -> None:
    """It has the form, and names nothing: the read is answered all the same."""
    org = d1_target.new_org()
    recent = query(org, ID, MODELS, org.id, read=Read.RECENT)
    for bookmark in ("0-0", "ffffffff-ffffffff-ffffffff-" + "f" * 32, "1-2-3-4"):
        assert d1_target.client.ask(recent, bookmark=bookmark).outcomes == [[]]


def test_postgres_needs_no_bookmark(postgres_target: Target) -> None:
    org = postgres_target.new_org()
    answer = postgres_target.client.ask(batch(org, model_statement(org, "a")), bookmark="0-0")
    assert (answer.outcomes, answer.bookmark) == ([[1]], None)


def test_a_request_that_only_reads_the_latest_has_no_bookmark(target: Target, org: Org) -> None:
    assert target.client.ask(query(org, ID, MODELS, org.id)).bookmark is None


def test_the_cost_counts_round_trips(target: Target, org: Org) -> None:
    """A group is one; a failure counts, and what was never sent does not."""
    group = batch(org, model_statement(org, "a"), Statement(MODELS, (org.id,)))
    answer = target.client.ask(group, query(org, ID, MODELS, org.id), group, Call("check", org))
    assert answer.queries == (5 if target.owner_url else 4)  # the check asks PostgreSQL twice
    assert answer.milliseconds >= 0
    refused = execute(org, "UPDATE models SET provider = ?2 WHERE org_id = ?1", org.id, "\0")
    assert target.client.ask(refused).queries == 0


def test_a_wait_is_in_the_cost(postgres_target: Target) -> None:
    nobody = Org("00000000-0000-7000-8000-000000000000")
    sleep = query(nobody, {"number": int}, "SELECT 1 AS number FROM pg_sleep(0.2)")
    assert 200 <= postgres_target.client.ask(sleep).milliseconds < 2000


def test_every_store_has_its_tables(target: Target, org: Org) -> None:
    """What /readyz asks."""
    assert target.client.do(Call("check", org)) is None
