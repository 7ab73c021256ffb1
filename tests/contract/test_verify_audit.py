"""./headgate verify-audit on real databases: whatever somebody does to the rows is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib.audit import audit_store
from lib.audit.chain import EMPTY, Entry, Head, Link, Log, chain_key, linked
from lib.kernel.ids import new_id
from lib.store.database import Statement
from lib.store.dialect import time_text
from tests.contract.support.migrating import Ground
from tests.contract.support.rows import SECRET
from tests.contract.support.store_targets import NOW
from tools.migrations import quoted
from tools.verify_audit import examine, verify

LENGTH = 5


def event(log: Log, owner: str, number: int) -> Entry:
    details = '{"name":"Zoë \\"x\\" 名"}'
    action = f"act{number}" if number else log.birth
    return Entry(log, owner, new_id(NOW), action, "user:u", None, "ok", "::1", "r", details, NOW)


def chain(log: Log, owner: str) -> list[Link]:
    head, links = EMPTY, []
    for each in range(LENGTH):
        links.append(linked(chain_key(SECRET), event(log, owner, each), head))
        head = Head(links[-1].seq, links[-1].hash)
    return links


def literal(statement: Statement) -> str:
    """Return the statement with its values in it, for either store."""
    sql = statement.sql
    for value in statement.values:
        text = time_text(NOW) if value == NOW else value
        sql = sql.replace("?", "NULL" if text is None else quoted(text) if isinstance(text, str) else str(text), 1)
    return sql + ";"


def write(owner: str) -> str:
    """Return the SQL that makes an organisation and a person, and writes a chain of each."""
    made = f"{quoted(time_text(NOW))}, {quoted(time_text(NOW))}"
    rows = [literal(audit_store.insert(link, None)) for log in Log for link in chain(log, owner)]
    return (
        f"INSERT INTO orgs (id, name, created_at, updated_at) VALUES ('{owner}', 'x', {made});"
        f"INSERT INTO users (id, email, name, created_at, updated_at) VALUES ('{owner}', '{owner}@b.c', 'x', {made});"
    ) + "\n".join(rows)


def forged(owner: str) -> str:
    made = linked(chain_key("x" * 32), event(Log.ORG, owner, 9), Head(LENGTH, "f" * 64))
    return literal(audit_store.insert(made, None))


def later(owner: str) -> str:
    """Return the SQL of what Headgate itself writes next, where the log is empty."""
    return literal(audit_store.insert(linked(chain_key(SECRET), event(Log.ORG, owner, 9), EMPTY), None))


UPDATE, LATER = "UPDATE audit_events SET", "'2027-01-01T00:00:00.000000Z'"
# What somebody does to the rows of one organisation (@), and what a reader is told of it.
DEEDS = {
    "nothing": ("", []),
    "changed": (f"{UPDATE} actor = 'user:other' WHERE @ = 2;", [(2, "changed")]),
    "touched": (f"{UPDATE} updated_at = {LATER} WHERE @ = 2;", [(2, "changed")]),
    "moved in time": (f"{UPDATE} created_at = {LATER}, updated_at = {LATER} WHERE @ = 2;", [(2, "changed")]),
    "removed": ("DELETE FROM audit_events WHERE @ = 2;", [(3, "missing")]),
    "reordered": (
        f"{UPDATE} seq = 99 WHERE @ = 2; {UPDATE} seq = 2 WHERE @ = 3; {UPDATE} seq = 3 WHERE @ = 99;",
        [(2, "changed"), (2, "misplaced"), (3, "changed"), (3, "misplaced"), (4, "misplaced")],
    ),
    "inserted": ("", [(6, "changed"), (6, "misplaced")]),
    "cut": ("DELETE FROM audit_events WHERE @ >= 4;", []),
    "emptied": ("DELETE FROM audit_events WHERE @ >= 1;", [(1, "emptied")]),
    "begun anew": ("DELETE FROM audit_events WHERE @ >= 1;", [(1, "emptied")]),
}
# Another text of the same moment: PostgreSQL keeps none, and on D1 it would sort elsewhere.
SAME = f"'{time_text(NOW).replace('T', ' ')}'"
DEEDS["told otherwise"] = (f"{UPDATE} created_at = {SAME}, updated_at = {SAME} WHERE @ = 2;", [(2, "changed")])


def test_whatever_is_done_to_the_rows_is_found(
    ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deed to an organisation of its own; over several pages. What is cut off, an earlier run's heads tell."""
    monkeypatch.setattr("tools.verify_audit.PAGE_ROWS", LENGTH * len(DEEDS) - 1)
    owners = {deed: new_id(NOW) for deed in DEEDS}
    target, noted = ground.target(), tmp_path / "heads.json"
    target.up()
    target.execute("\n".join(write(owner) for owner in owners.values()))
    assert verify(target, ground.store, SECRET, heads=None, as_json=True) == 0
    noted.write_text(capsys.readouterr().out, encoding="utf-8")

    deeds = [sql.replace("@", f"org_id = '{owners[deed]}' AND seq") for deed, (sql, _) in DEEDS.items()]
    target.execute("\n".join([*deeds, forged(owners["inserted"]), later(owners["begun anew"])]))
    found = examine(target, ground.store, SECRET)
    for deed, (_, expected) in DEEDS.items():
        told = [(flaw.seq, flaw.finding.value) for flaw in found.flaws if flaw.owner == owners[deed]]
        assert told == ([] if deed == "told otherwise" and ground.store == "postgres" else expected), deed

    assert verify(target, ground.store, SECRET, heads=str(noted), as_json=False) == 1
    assert f"organisation {owners['cut']}: row 5 is gone from the end" in capsys.readouterr().out


def test_another_secret_makes_no_row_true(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """Who could write all rows anew would need the deployment's own."""
    target = ground.target()
    target.up()
    target.execute(write(new_id(NOW)))
    assert verify(target, ground.store, "another".ljust(32), heads=None, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], len(told["flaws"])) == (2 * LENGTH, 2 * LENGTH)
