"""./headgate verify-audit: read all audit logs and tell which rows were changed, removed, inserted or moved,
and which logs were emptied.

The rows are read from the database itself, not through a running Headgate, and judged here by lib/audit/chain.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib.audit.chain import Finding, Flaw, Head, Row, flaws
from lib.audit.link_store import Link
from lib.events.event_store import Entry, Log, log_key
from lib.store.dialect import time_text
from tools.migrations import Target, quoted
from tools.project import ToolError
from tools.state import Store

PAGE_ROWS = 2_000
COLUMNS = (
    "seq",
    "id",
    "action",
    "actor",
    "target",
    "result",
    "address",
    "request_id",
    "details",
    "previous_hash",
    "hash",
)
WORDS: Mapping[Finding, str] = {
    Finding.CHANGED: "was changed, or was not written by Headgate",
    Finding.MISSING: "comes after rows that are gone",
    Finding.MISPLACED: "is not where it was linked",
    Finding.EMPTIED: "is gone, with which this log began",
    Finding.CUT: "is gone from the end, or is another now",
}

Heads = dict[str, dict[str, Head]]  # by log and owner


@dataclass
class Report:
    """What was found: how many rows there are, in how many logs, the end of each chain, and what is wrong."""

    rows: int = 0
    logs: int = 0
    heads: Heads = field(default_factory=lambda: {log.value: {} for log in Log})
    flaws: list[Flaw] = field(default_factory=list)

    def to_json(self) -> str:
        """Return it for programs, and for a later `--heads`."""
        heads = {log: {owner: [head.seq, head.hash] for owner, head in of.items()} for log, of in self.heads.items()}
        found = [
            {"log": each.log, "owner": each.owner, "seq": each.seq, "finding": each.finding} for each in self.flaws
        ]
        return json.dumps({"rows": self.rows, "flaws": found, "heads": heads}, indent=2)


def examine(target: Target, store: Store, secret: str, noted: Heads | None = None, older: Sequence[str] = ()) -> Report:
    """Read both logs, and judge them. `secret` is the deployment's HEADGATE_SECRET, `older` what it was before.

    Raises ToolError.
    """
    keys = [log_key(each) for each in (secret, *older)]
    report = Report()
    for log in Log:
        # Who exists is read first: whoever is made meanwhile has no row that was read, and needs none.
        owners = dict(_owners(target, log))
        rows = _counted(report, _rows(target, store, log))
        report.flaws += flaws(keys, log, rows, (noted or {}).get(log.value), owners, report.heads[log.value])
    return report


def verify(
    target: Target, store: Store, secret: str, *, heads: str | None, as_json: bool, older: Sequence[str] = ()
) -> int:
    """Print what is found; return the exit status. `heads` names the file of an earlier `--json`."""
    report = examine(target, store, secret, read_heads(Path(heads)) if heads else None, older)
    if as_json:
        print(report.to_json())
        return int(bool(report.flaws))
    for flaw in report.flaws:
        whose = "organisation" if flaw.log is Log.ORG else "person"
        print(f"{whose} {flaw.owner}: row {flaw.seq} {WORDS[flaw.finding]}")
    verdict = f"{len(report.flaws)} flaws" if report.flaws else "all as they were written"
    print(f"{report.rows} rows in {report.logs} logs: {verdict}.")
    return int(bool(report.flaws))


def read_heads(file: Path) -> Heads:
    """Return the heads that an earlier run has printed. Raises ToolError."""
    try:
        kept: Mapping[str, Mapping[str, tuple[int, str]]] = json.loads(file.read_text(encoding="utf-8"))["heads"]
        return {
            log.value: {owner: Head(int(seq), str(digest)) for owner, (seq, digest) in kept[log.value].items()}
            for log in Log
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ToolError(f"{file} is not what `verify-audit --json` has printed.") from None


def _counted(report: Report, rows: Iterator[Row]) -> Iterator[Row]:
    owner = ""
    for row in rows:
        report.rows += 1
        report.logs += row.entry.owner != owner
        owner = row.entry.owner
        yield row


def _owners(target: Target, log: Log) -> Iterator[tuple[str, int]]:
    """Yield the ids of all that must have a log, and the number of its last link, 0 for none."""
    after = ""
    last = f"SELECT max(seq) FROM {log.links} WHERE {log.links}.{log.owner_column} = {log.owners}.id"
    while True:
        rows = target.rows(
            f"SELECT id, coalesce(({last}), 0) AS linked FROM {log.owners} WHERE id > {quoted(after)}"
            f" ORDER BY id LIMIT {PAGE_ROWS}"
        )
        yield from ((str(row["id"]), int(row["linked"])) for row in rows)
        if len(rows) < PAGE_ROWS:
            return
        after = str(rows[-1]["id"])


def _rows(target: Target, store: Store, log: Log) -> Iterator[Row]:
    """Yield all rows, owner by owner, in their order."""
    owner, seq = "", 0
    while True:
        rows = target.rows(_query(store, log, owner, seq))
        for row in rows:
            yield _row(log, row)
        if len(rows) < PAGE_ROWS:
            return
        owner, seq = str(rows[-1]["owner"]), int(rows[-1]["seq"])


def _query(store: Store, log: Log, owner: str, seq: int) -> str:
    column, times = log.owner_column, ("events.created_at", "events.updated_at")
    at, touched = times if store == "d1" else map(_as_text, times)
    listed = ", ".join(f"events.{name}" for name in COLUMNS)
    return (
        f"SELECT events.{column} AS owner, {listed}, {at} AS at, {touched} AS touched,"
        " links.previous_hash AS link_previous_hash, links.hash AS link_hash"
        f" FROM {log} AS events LEFT JOIN {log.links} AS links"
        f" ON links.{column} = events.{column} AND links.seq = events.seq"
        f" WHERE (events.{column}, events.seq) > ({quoted(owner)}, {seq})"
        f" ORDER BY events.{column}, events.seq LIMIT {PAGE_ROWS}"
    )


def _as_text(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _row(log: Log, row: Mapping[str, Any]) -> Row:
    entry = Entry(
        log=log,
        owner=row["owner"],
        id=row["id"],
        action=row["action"],
        actor=row["actor"],
        target=row["target"],
        result=row["result"],
        address=row["address"],
        request_id=row["request_id"],
        details=row["details"],
        at=_time(row["at"]),
    )
    # As it is stored: another text of the same moment sorts elsewhere, and would hide a row from who asks for its day.
    intact = row["touched"] == row["at"] == time_text(entry.at)
    seq, linked = int(row["seq"]), row["link_hash"]
    link = Link(seq, row["link_previous_hash"], linked) if linked else None
    return Row(entry, seq, row["previous_hash"], row["hash"], link, intact=intact)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # on D1 the column takes any text, and so does whoever changes it
        return datetime.min.replace(tzinfo=UTC)
