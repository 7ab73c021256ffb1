"""The wall on D1, attacked: whatever statement it lets pass neither shows nor changes another's row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.store.database import TenantViolation
from lib.store.tenancy import check_scope
from lib.store.tenant import Joining, Org, Person, Tenant
from tests.unit.store.statements import ORGS, PERSONS, Vocabulary, Writer
from tests.unit.store.two_orgs import OTHER, OWN, Ground, TwoOrgs, TwoPersons, user

VALUES = (OWN, OTHER, OTHER, OWN, OTHER, OTHER)
PERSONS_VALUES = (user(0), user(1), user(1), user(0), user(1), user(1))
JOINING = Joining(OWN, OWN)  # nobody has this id
ORG = re.compile(r"\borg_id\b")
HELD = re.compile(r"(\w+\.)?\borg_id = \?\d*")
Grounds = tuple[Ground, Ground]


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    """The same rows of an organisation beside others, once few and once many."""
    few, many = TwoOrgs(crowded=False), TwoOrgs(crowded=True)
    yield few, many
    few.close()
    many.close()


@pytest.fixture(scope="module")
def persons() -> Iterator[Grounds]:
    """The same rows of a person beside others."""
    few, many = TwoPersons(crowded=False), TwoPersons(crowded=True)
    yield few, many
    few.close()
    many.close()


def passes(sql: str, scope: Tenant, values: Sequence[object]) -> bool:
    try:
        check_scope(scope, sql, values)
    except TenantViolation:
        return False
    return True


def leak(grounds: Grounds, sql: str, values: Sequence[object] = VALUES) -> str | None:
    """Return what a statement reveals or changes of others; None when it leaves the wall whole.

    What it gives back, and what it leaves of the own rows, must be the same whatever rows others have.
    """
    few, many = (ground.run(sql, values) for ground in grounds)
    if (few.others, many.others) != (grounds[0].before, grounds[1].before):
        return "another's row was written"
    if few.error or many.error:
        return None
    if few.rows != many.rows:
        return "the rows depend on another's"
    # That an id is taken by another is told by every store, as a violation or by what is not written.
    return "the own rows depend on another's" if few.own != many.own and "CONFLICT" not in sql else None


def _each_for(sql: str, wanted: re.Pattern[str], new: str) -> Iterator[str]:
    """Yield a text with each of the places that are wanted replaced, one at a time."""
    for place in wanted.finditer(sql):
        yield sql[: place.start()] + new + sql[place.end() :]


@settings(max_examples=4000)
@given(seed=st.integers(0, 1 << 64))
def test_no_statement_that_passes_reaches_another_organisations_rows(grounds: Grounds, seed: int) -> None:
    """Put together from fragments, thousands of them. Of people's rows none is reached but a member's account."""
    sql = Writer(seed, ORGS).statement()
    if passes(sql, Org(OWN), VALUES):
        assert leak(grounds, sql) is None, sql


@settings(max_examples=4000)
@given(seed=st.integers(0, 1 << 64))
def test_no_statement_that_passes_reaches_another_persons_rows(persons: Grounds, seed: int) -> None:
    """Nor an organisation's, but for the name of one where the person is a member."""
    sql = Writer(seed, PERSONS).statement()
    if passes(sql, Person(user(0)), PERSONS_VALUES):
        assert leak(persons, sql, PERSONS_VALUES) is None, sql


@pytest.mark.parametrize(("words", "scope", "values"), [
    (ORGS, Org(OWN), VALUES), (PERSONS, Person(user(0)), PERSONS_VALUES),
], ids=["organisation", "person"])  # fmt: skip
def test_enough_of_them_pass_and_run(words: Vocabulary, scope: Tenant, values: Sequence[object]) -> None:
    """The properties above are worth something only while many statements get through, some with the linked table."""
    ground = TwoOrgs(crowded=True) if words is ORGS else TwoPersons(crowded=True)
    statements = [Writer(seed, words).statement() for seed in range(3000)]
    ran = [sql for sql in statements if passes(sql, scope, values) and ground.run(sql, values).error is None]
    ground.close()
    assert len(ran) > 150
    assert len([sql for sql in ran if f" {words.linked[0]}" in sql]) > 8


def test_who_joins_an_organisation_reaches_no_more() -> None:
    """It may read its own memberships, and this one has none yet: so whatever is shown or written else is another's."""
    held = [sql for sql in (Writer(seed, ORGS).statement() for seed in range(12_000)) if passes(sql, Org(OWN), VALUES)]
    among_members = [sql for sql in held if " memberships" in sql]
    turned = {
        turn for sql in among_members for turn in (*_each_for(sql, ORG, "user_id"), *_each_for(sql, HELD, "true"))
    }
    own = [sql for sql in turned if passes(sql, JOINING, VALUES) and not passes(sql, Org(OWN), VALUES)]
    grounds = TwoOrgs(crowded=False), TwoOrgs(crowded=True)
    assert [sql for sql in own if leak(grounds, sql)] == []
    assert len([sql for sql in own if grounds[0].run(sql, VALUES).error is None]) > 5
    for ground in grounds:
        ground.close()
