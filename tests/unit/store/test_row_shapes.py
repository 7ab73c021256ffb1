"""What store modules decode rows into agrees with the schema: names, types, and what may be null.

`decode` takes a row's columns by a dataclass's fields. That a field has a column of its name and type is proved here,
for each type that the source asks a Database for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from lib.ledger.usage_record import UsageRecord
from lib.store import schema
from tests.unit.source_tree import Module, modules
from tools.row_types import MIGRATIONS, read


@dataclass(frozen=True)
class Projection:
    """The tables that a row type's columns come from. Those of `outer`, joined by LEFT JOIN, may be missing."""

    tables: tuple[str, ...]
    outer: tuple[str, ...] = ()


PROJECTIONS = {
    "lib.keys.key_store._OrgId": Projection(("api_keys",)),
    "lib.gateway.model_store.ModelRow": Projection(("models",), outer=("model_prices",)),
    "lib.audit.link_store.Link": Projection(("audit_links",)),
    "lib.audit.audit_store._Probe": Projection(("audit_events",)),
    "lib.ledger.ledger._Edge": Projection(("usage_records",)),
    "lib.ledger.day_sums._Started": Projection(("usage_records",)),
    "lib.ledger.usage_store._Key": Projection(("api_keys",)),
    "lib.users.person_store._OrgRow": Projection(("memberships",)),
    "lib.users.account_store._Id": Projection(("users",)),
    "lib.orgs.invitation_store._Email": Projection(("users",)),
    "lib.sessions.session_store.ShownSession": Projection(("sessions",)),
    "lib.ledger.ledger_sums._Id": Projection(("orgs",)),
    "lib.reconcile.restored_store._Id": Projection(("api_keys", "usage_records")),
    "lib.ledger.ledger_sums._Line": Projection(("api_keys",)),
    "lib.admission.policy_store._Line": Projection(("api_keys",)),
    "lib.sign_in.suspension_store.OperatorsOrg": Projection(("orgs",)),
    "lib.sign_in.suspension_store.OperatorsPerson": Projection(("users",)),
    "lib.web.idempotency._Row": Projection(("idempotent_answers",)),
}
# Types that are no rows of tables, and why no column stands behind their fields.
AGGREGATES = {
    "lib.ledger.usage_report.UsageSum": "sums and counts over the records of a group, and the group's own names",
    "lib.ledger.ledger_sums._Named": "the least of a day's providers; none where there is no day",
    "lib.ledger.ledger_sums.SubjectSum": "a sum over the records or days of one subject",
    "lib.ledger.ledger_sums.UnclearRow": "a column whose name is the level's stands behind `subject`",
    "lib.audit.link_store._Owner": "a log's column of its owner, under the name that both logs have",
    "lib.ledger.ledger_sums._Time": "a record's column, under the name that days have too",
    "lib.ledger.ledger_sums._Day": "a day's column, under the name that records have too",
    "lib.ledger.bookkeeping._Due": "one of a mark's columns, under one name",
    "lib.orgs.member_store.MemberRow": "columns of a membership, its person and its role",
    "lib.orgs.member_store.OwnOrgRow": "columns of a membership and its organisation",
    "lib.orgs.team_store.TeamMemberRow": "columns of a membership of a team, and its person",
    "lib.users.person_store.PersonRow": "columns of four tables, under names that tell those apart",
    "lib.users.person_store.SessionPersonRow": "the same, and its session's",
    "lib.users.person_store._TeamsRow": "the ids of several rows in one text",
    "lib.users.person_store.TokenRow": "the same, and two counts",
}

TABLES = {table.name: table for table in read(MIGRATIONS)}
GENERATED = {f"{schema.__name__}.{table.row_type()}": Projection((table.name,)) for table in TABLES.values()}


def asked_for(module: Module) -> Iterator[str]:
    """Yield the full name of each row type that a module asks a Database for, or makes a Table of.

    The type is the first argument of `query`, `one` and `Table` that names a dataclass; something may stand before it.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"query", "one", "Table"}:
            names = [ast.unparse(argument) for argument in node.args[:2]]
            kinds = [kind for name in names if is_dataclass(kind := _named(module, name)) and isinstance(kind, type)]
            assert kinds, f"{module.name}:{node.lineno}: which row type is this? {ast.unparse(node)[:80]}"
            yield f"{kinds[0].__module__}.{kinds[0].__qualname__}"


def _named(module: Module, expression: str) -> object:
    """Return what a dotted name stands for in a module, or None when it is no such name."""
    found: object = import_module(module.name)
    for part in expression.split("."):
        found = getattr(found, part, None)
    return found


def row_type(full_name: str) -> Any:
    module, _, name = full_name.rpartition(".")
    return getattr(import_module(module), name)


def columns(projection: Projection) -> dict[str, Any]:
    """Return the types of all columns that a projection may name, by the generated types. The first table wins."""
    found: dict[str, Any] = {}
    for name in (*projection.tables, *projection.outer):
        hints = get_type_hints(getattr(schema, TABLES[name].row_type()))
        for column, hint in hints.items():
            found.setdefault(column, hint | None if name in projection.outer else hint)
    return found


def disagreements(kind: Any, projection: Projection) -> list[str]:
    """Return what a row type's fields and the schema say differently."""
    known, hints = columns(projection), get_type_hints(kind)
    return [
        f"{kind.__name__}.{field.name} is {hints[field.name]}, its column {known.get(field.name, 'does not exist')}"
        for field in fields(kind)
        if hints[field.name] != known.get(field.name)
    ]


# These modules hand on the type that they were given.
HANDING_ON = ("lib.store", "lib.runtime")
ASKED_FOR = sorted({name for m in modules() if not m.within(*HANDING_ON) for name in asked_for(m)})


def test_every_row_type_is_known_here() -> None:
    """A new one must be compared with the schema too, or say why it can't be."""
    assert len(ASKED_FOR) >= 6
    assert [name for name in ASKED_FOR if name not in {*PROJECTIONS, *AGGREGATES, *GENERATED}] == []
    assert not PROJECTIONS.keys() & AGGREGATES.keys()


@pytest.mark.parametrize("name", [name for name in ASKED_FOR if name not in AGGREGATES])
def test_a_row_type_agrees_with_its_tables(name: str) -> None:
    """Field for field: a column of this name, this type, and nullable where the field may be None."""
    assert disagreements(row_type(name), {**PROJECTIONS, **GENERATED}[name]) == []


def test_a_usage_record_is_written_field_by_column() -> None:
    """The ledger's row is inserted by the names of its fields; only the store's own two times are added there.

    Its start is kept as the store's text (see UsageRecord).
    """
    record, row = get_type_hints(UsageRecord), get_type_hints(schema.UsageRecordRow)
    assert record.pop("started_at") is str
    assert set(row) - set(record) == {"started_at", "created_at", "updated_at"}
    assert {name: row.get(name) for name in record} == record


@dataclass(frozen=True, slots=True)
class Drifted:
    """A row type that fell behind: a name, a type, and a column that became nullable."""

    id: str
    title: str
    version: str
    revoked_at: str
    price_id: str


def test_each_kind_of_drift_is_found() -> None:
    """The comparison itself: it would be worthless if it found nothing."""
    found = disagreements(Drifted, Projection(("api_keys",), outer=("models",)))
    assert [line.split()[0] for line in found] == [
        "Drifted.title",
        "Drifted.version",
        "Drifted.revoked_at",
        "Drifted.price_id",
    ]


def test_a_column_of_a_left_join_may_be_missing() -> None:
    """Even where its own table does not allow null."""
    joined = columns(Projection(("models",), outer=("model_prices",)))
    assert joined["input_nano_usd_per_token"] == int | None
    assert joined["version"] is int


@pytest.mark.parametrize(
    "call", ["database.query(_OrgId, 'SELECT')", "s.database.one(scope, _OrgId, 'SELECT')", "d.one(O(x), _OrgId, '')"]
)
def test_a_row_type_is_found_with_and_without_a_scope_before_it(tmp_path: Path, call: str) -> None:
    """Wherever the Database comes from."""
    path = tmp_path / "x.py"
    path.write_text(call)
    assert list(asked_for(Module("lib.keys.key_store", path))) == ["lib.keys.key_store._OrgId"]


def test_a_row_type_that_nobody_can_name_is_refused(tmp_path: Path) -> None:
    """A query with a type made on the spot would escape the comparison."""
    path = tmp_path / "x.py"
    path.write_text("database.query(make_type(), 'SELECT')")
    with pytest.raises(AssertionError, match="which row type"):
        list(asked_for(Module("lib.keys.key_store", path)))
