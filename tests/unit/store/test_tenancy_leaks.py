"""The wall on D1, attacked: whatever statement it lets pass neither shows nor changes another organisation's row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.store.database import TenantViolation
from lib.store.scope import Org
from lib.store.tenancy import check_scope
from tests.unit.store.statements import Writer
from tests.unit.store.two_orgs import OTHER, OWN, TwoOrgs

VALUES = (OWN, OTHER, OTHER, OWN, OTHER, OTHER)


@pytest.fixture(scope="module")
def grounds() -> Iterator[tuple[TwoOrgs, TwoOrgs]]:
    """The same own rows beside others, once few and once many."""
    few, many = TwoOrgs(crowded=False), TwoOrgs(crowded=True)
    yield few, many
    few.close()
    many.close()


def passes(sql: str) -> bool:
    try:
        check_scope(Org(OWN), sql, VALUES)
    except TenantViolation:
        return False
    return True


def leak(grounds: tuple[TwoOrgs, TwoOrgs], sql: str) -> str | None:
    """Return what a statement reveals or changes of others; None when it leaves the wall whole.

    What it gives back, and what it leaves of the own rows, must be the same whatever rows others have.
    """
    few, many = (ground.run(sql, VALUES) for ground in grounds)
    if few.others != grounds[0].before or many.others != grounds[1].before:
        return "another's row was written"
    if few.error or many.error:
        return None
    if few.rows != many.rows:
        return "the rows depend on another's"
    # That an id is taken by another is told by every store, as a violation or by what is not written.
    return "the own rows depend on another's" if few.own != many.own and "CONFLICT" not in sql else None


@settings(max_examples=4000)
@given(seed=st.integers(0, 1 << 64))
def test_no_statement_that_passes_reaches_another_organisations_rows(
    grounds: tuple[TwoOrgs, TwoOrgs], seed: int
) -> None:
    """Put together from fragments, thousands of them."""
    sql = Writer(seed).statement()
    if passes(sql):
        assert leak(grounds, sql) is None, sql
