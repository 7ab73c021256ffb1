"""What `GET /readyz` asks PostgreSQL: whether a scope shows its own rows and no others."""

from __future__ import annotations

import pytest

from lib.store.database import ScopeLost, StoreUnavailable
from lib.store.session import NOBODY
from tests.unit.fakes import run
from tests.unit.store.fake_postgres import Answer, Params, Rows
from tests.unit.store.test_postgres import open_on, serving


@pytest.mark.parametrize(
    ("any_org", "shown", "said"),
    [
        (["o", "orgs", "t"], ["o"], None),
        ([None, "orgs", "t"], [], None),
        (["o", "orgs", "t"], [], "other rows"),
        (["o", "orgs", "t"], ["o", "p"], "other rows"),
        ([None, "orgs", "t"], ["o"], "other rows"),
        (["o", "orgs", "f"], ["o"], "does not hold for the Worker's login"),
        ([None, "", "t"], [], "does not reach its statement"),
        ([None, None, "t"], [], "does not reach its statement"),
    ],
)
def test_a_check_tries_whether_a_scope_shows_its_rows(
    any_org: list[str | None], shown: list[str], said: str | None
) -> None:
    """With a real organisation, where there is one: its own row and no other, though nothing in the SQL says so."""

    def answer(sql: str, _params: Params) -> Answer:
        if "row_security_active" in sql:
            return Rows(["id", "scope", "walled"], [any_org])
        return Rows(["id"], [[each] for each in shown]) if sql.startswith("SELECT id") else Rows(tag="BEGIN")

    server = serving(answer)
    if said is None:
        run(open_on(server).check())
        assert server.groups[1][1][1][0] == (any_org[0] or NOBODY.id)
    else:
        with pytest.raises(ScopeLost, match=said):
            run(open_on(server).check())


def test_an_organisation_that_is_deleted_while_it_is_asked_for() -> None:
    """It shows no row any more; the wall is as it was."""
    left: list[list[str | None]] = [["o", "orgs", "t"], [None, "orgs", "t"]]

    def answer(sql: str, _params: Params) -> Answer:
        if "row_security_active" in sql:
            return Rows(["id", "scope", "walled"], [left.pop(0)])
        return Rows(["id"], []) if sql.startswith("SELECT id") else Rows(tag="BEGIN")

    run(open_on(serving(answer)).check())
    assert left == []


def test_a_check_of_a_server_that_is_away() -> None:
    server = serving()
    server.unreachable = True
    with pytest.raises(StoreUnavailable):
        run(open_on(server).check())
