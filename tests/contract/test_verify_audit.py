"""./headgate verify-audit on real databases: whatever somebody does to the rows is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lib.audit.chain import START, Row
from lib.events.event_store import Log, log_key
from lib.kernel.ids import new_id
from lib.store.dialect import time_text
from tests.contract.support.migrating import Ground
from tests.contract.support.rows import SECRET
from tests.contract.support.store_targets import NOW
from tests.unit.audit.entries import chain, event, sealed
from tools.migrations import quoted
from tools.verify_audit import examine, verify

KEY = log_key(SECRET)
OLD, LENGTH = 2, 6  # rows of an earlier release, and all; the last has no link yet
SAID = {"details": '{"name":"Zoë \\"x\\" 名"}', "at": NOW}


def rows(log: Log, owner: str) -> list[Row]:
    born = {"log": log, "action": log.birth, **SAID}
    *linked, last = chain(LENGTH, owner, KEY, OLD, **born)
    return [*linked, replace(last, link=None)]


def insert(row: Row) -> str:
    """Return the SQL that writes a row and its link, for either store."""
    said, log = row.entry, row.entry.log
    values = {
        log.owner_column: said.owner, "seq": row.seq, "id": said.id, "action": said.action, "actor": said.actor,
        "target": said.target, "result": said.result, "address": said.address, "request_id": said.request_id,
        "details": said.details, "previous_hash": row.previous_hash, "hash": row.hash,
        "created_at": time_text(said.at), "updated_at": time_text(said.at),
    }  # fmt: skip
    place = {name: values[name] for name in (log.owner_column, "seq", "created_at", "updated_at")}
    link = place | {"previous_hash": row.link.previous_hash, "hash": row.link.hash} if row.link else {}
    return "\n".join(
        f"INSERT INTO {table} ({', '.join(of)}) VALUES"
        f" ({', '.join('NULL' if value is None else quoted(str(value)) for value in of.values())});"
        for table, of in ((log, values), (log.links, link))
        if of
    )


def write(owner: str) -> str:
    """Return the SQL that makes an organisation and a person, and writes a chain of each."""
    made = f"{quoted(time_text(NOW))}, {quoted(time_text(NOW))}"
    written = [insert(row) for log in Log for row in rows(log, owner)]
    return (
        f"INSERT INTO orgs (id, name, created_at, updated_at) VALUES ('{owner}', 'x', {made});"
        f"INSERT INTO users (id, email, name, created_at, updated_at) VALUES ('{owner}', '{owner}@b.c', 'x', {made});"
    ) + "\n".join(written)


def forged(owner: str) -> str:
    made = sealed(log_key("x" * 32), event(9, owner=owner), replace(START, seq=LENGTH))
    return insert(made)


def later(owner: str) -> str:
    """Return the SQL of what Headgate itself writes next, where the log is empty."""
    return insert(replace(sealed(KEY, event(9, owner=owner), START), link=None))


UPDATE, LATER = "UPDATE audit_events SET", "'2027-01-01T00:00:00.000000Z'"
# What somebody does to the rows of one organisation (@), and what a reader is told of it.
DEEDS = {
    "nothing": ("", []),
    "changed, of an earlier release": (f"{UPDATE} actor = 'user:other' WHERE @ = 1;", [(1, "changed")]),
    "changed": (f"{UPDATE} actor = 'user:other' WHERE @ = 4;", [(4, "changed")]),
    "changed before it was linked": (f"{UPDATE} actor = 'user:other' WHERE @ = 6;", [(6, "changed")]),
    "touched": (f"{UPDATE} updated_at = {LATER} WHERE @ = 4;", [(4, "changed")]),
    "moved in time": (f"{UPDATE} created_at = {LATER}, updated_at = {LATER} WHERE @ = 4;", [(4, "changed")]),
    "removed, of an earlier release": ("DELETE FROM audit_events WHERE @ = 1;", [(2, "missing")]),
    "removed": ("DELETE FROM audit_events WHERE @ = 4;", [(5, "missing")]),
    "swapped, of an earlier release": (
        f"{UPDATE} seq = 99 WHERE @ = 1; {UPDATE} seq = 1 WHERE @ = 2; {UPDATE} seq = 2 WHERE @ = 99;",
        [(1, "changed"), (1, "misplaced"), (2, "changed"), (2, "misplaced")],
    ),
    "swapped": (
        f"{UPDATE} seq = 99 WHERE @ = 3; {UPDATE} seq = 3 WHERE @ = 4; {UPDATE} seq = 4 WHERE @ = 99;",
        [(3, "misplaced"), (4, "misplaced")],
    ),
    "another link": (f"UPDATE audit_links SET hash = '{'f' * 64}' WHERE @ = 4;", [(4, "misplaced"), (5, "misplaced")]),
    "without its link": ("DELETE FROM audit_links WHERE @ = 4;", [(5, "misplaced")]),
    "without links": ("DELETE FROM audit_links WHERE @ >= 3;", []),
    "inserted": ("", [(7, "changed"), (7, "misplaced")]),
    "cut": ("DELETE FROM audit_events WHERE @ >= 4;", [(5, "cut")]),
    "cut with its links": ("DELETE FROM audit_events WHERE @ >= 4; DELETE FROM audit_links WHERE @ >= 4;", []),
    "emptied": ("DELETE FROM audit_events WHERE @ >= 1;", [(1, "emptied")]),
    "begun anew": (
        "DELETE FROM audit_events WHERE @ >= 1; DELETE FROM audit_links WHERE @ >= 1;", [(1, "emptied")],
    ),
}  # fmt: skip
# Another text of the same moment: PostgreSQL keeps none, and on D1 it would sort elsewhere.
SAME = f"'{time_text(NOW).replace('T', ' ')}'"
DEEDS["told otherwise"] = (f"{UPDATE} created_at = {SAME}, updated_at = {SAME} WHERE @ = 4;", [(4, "changed")])


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
    more = [forged(owners["inserted"]), later(owners["begun anew"])]
    target.execute("\n".join([*deeds, *more]))
    found = examine(target, ground.store, SECRET)
    for deed, (_, expected) in DEEDS.items():
        told = [(flaw.seq, flaw.finding.value) for flaw in found.flaws if flaw.owner == owners[deed]]
        assert told == ([] if deed == "told otherwise" and ground.store == "postgres" else expected), deed

    assert verify(target, ground.store, SECRET, heads=str(noted), as_json=False) == 1
    printed = capsys.readouterr().out
    for deed in ("cut", "cut with its links", "without links"):
        assert f"organisation {owners[deed]}: row 5 is gone from the end" in printed


def test_another_secret_makes_no_row_true(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """Who could write all rows anew would need the deployment's own."""
    target = ground.target()
    target.up()
    target.execute(write(new_id(NOW)))
    assert verify(target, ground.store, "another".ljust(32), heads=None, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], len({(flaw["log"], flaw["seq"]) for flaw in told["flaws"]})) == (2 * LENGTH, 2 * LENGTH)


def test_chains_of_earlier_releases_go_on(ground: Ground) -> None:
    """Migrated, undone, and migrated again: each row is as it was written. Links go on from the last row of a chain."""
    target, owner = ground.target(), new_id(NOW)
    target.up()
    target.execute(write(owner))
    for links in ([], [OLD]):  # behind sealed rows they are made anew by the Worker, from the first row on
        target.down(1)
        target.up()
        report = examine(target, ground.store, SECRET)
        assert (report.flaws, report.heads["audit_events"][owner].seq) == ([], OLD)
        assert [row["seq"] for row in target.rows("SELECT seq FROM audit_links")] == links
        target.execute(f"DELETE FROM audit_events WHERE seq > {OLD}; DELETE FROM person_events WHERE seq > {OLD};")
