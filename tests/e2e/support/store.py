"""The files in which a local Headgate keeps its data, looked at from outside."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib.events.event_store import Entry, Log, log_key, row_of
from lib.kernel.ids import new_id
from lib.store.dialect import time_text
from tools.migrate import migrate
from tools.migrations import quoted
from tools.seed import Credentials, seed_statements
from tools.stack import Stack


def add_organisations(stack: Stack, number: int) -> list[Credentials]:
    """Make organisations in the database of a stack that has not been started yet, the way `make dev` makes its own."""
    if stack.postgres is not None:
        stack.postgres.start()  # the stack finds it running
    target = stack.target()
    migrate(stack.state, target)
    secret = stack.state.secrets()["HEADGATE_SECRET"]
    made = [seed_statements(secret, f"owner{index}@other.example") for index in range(number)]
    target.execute("\n".join(sql for _, sql in made))
    return [credentials for credentials, _ in made]


def calls_under_way(stack: Stack, model: str) -> set[str]:
    """The ids of calls to a model that no gate has settled. For a stack whose Worker does not run."""
    sql = "SELECT id FROM requests WHERE deadline_ms IS NOT NULL AND json_extract(record, '$.model') = ?"
    return {str(row[0]) for path in _gates(stack) for row in _rows(path, sql, model)}


def let_their_time_run_out(stack: Stack, model: str) -> None:
    """Put the deadline of such calls into the past, so that no test waits for minutes."""
    for path in _gates(stack):
        with closing(sqlite3.connect(path)) as database:
            database.execute(
                "UPDATE requests SET deadline_ms = 1"
                " WHERE deadline_ms IS NOT NULL AND json_extract(record, '$.model') = ?",
                (model,),
            )
            database.commit()


def revoke_untold(stack: Stack, org_id: str, key_id: str) -> None:
    """Revoke a key as a Worker does that is killed when that is committed: no gate is told, and its event has no link.

    For a stack whose Worker does not run.
    """
    now, secret = datetime.now(UTC), stack.state.secrets()["HEADGATE_SECRET"]
    entry = Entry(Log.ORG, org_id, new_id(now), "key.revoked", "system", f"key:{key_id}", "ok", None, None, "{}", now)
    row = {"org_id": org_id, **row_of(log_key(secret), entry)}
    texts = [time_text(value) if isinstance(value, datetime) else value for value in row.values()]
    values = ", ".join("NULL" if value is None else quoted(str(value)) for value in texts)
    stack.target().execute(
        f"UPDATE api_keys SET revoked_at = {quoted(time_text(now))} WHERE id = {quoted(key_id)};"
        f" INSERT INTO audit_events ({', '.join(row)}, seq) SELECT {values}, max(seq) + 1"
        f" FROM audit_events WHERE org_id = {quoted(org_id)};"
    )


def stored_records(stack: Stack, model: str) -> list[str]:
    """The ids of a model's usage records in the store, past the gates: who asks the API has them brought up to date."""
    if stack.postgres is not None:
        rows = stack.target().rows(f"SELECT id FROM usage_records WHERE model = '{model}' ORDER BY id")
        return [str(row["id"]) for row in rows]
    [path] = _databases(_wrangler(stack) / "d1" / "miniflare-D1DatabaseObject")
    return [str(row[0]) for row in _rows(path, "SELECT id FROM usage_records WHERE model = ? ORDER BY id", model)]


def kept_in_gates(stack: Stack, model: str) -> int:
    """How many of a model's records the gates still have."""
    sql = "SELECT count(*) FROM requests WHERE json_extract(record, '$.model') = ?"
    return sum(int(row[0]) for path in _gates(stack) for row in _rows(path, sql, model))


def archived(stack: Stack, prefix: str) -> dict[str, bytes]:
    """The objects in R2 whose names begin so, by name: what miniflare keeps of them on disk."""
    folder = _wrangler(stack) / "r2"
    sql = "SELECT key, blob_id FROM _mf_objects WHERE key LIKE ? || '%'"
    rows = [row for path in _databases(folder / "miniflare-R2BucketObject") for row in _rows(path, sql, prefix)]
    return {key: (folder / "headgate-archive" / "blobs" / blob).read_bytes() for key, blob in rows}


def stored_bytes(stack: Stack) -> bytes:
    """Everything that the store and the gates have on disk, their logs of writes included."""
    folders = ("d1", "do", "kv", "r2", "cache")
    files = [path for name in folders for path in (_wrangler(stack) / name).rglob("*") if path.is_file()]
    assert any(path.parent.name == "headgate-Gate" for path in files)
    if stack.postgres is not None:
        files += [path for path in (stack.state.postgres / "data").rglob("*") if path.is_file()]
    assert any(path.parent.name in ("miniflare-D1DatabaseObject", "pg_wal") for path in files)
    # Logs first: what one has lost meanwhile is in the file that is read after it.
    return b"".join(map(_read, sorted(files, key=lambda path: not path.name.endswith("-wal"))))


def gates(stack: Stack) -> set[str]:
    """The names of the files of all gates that were ever called."""
    return {path.name for path in _gates(stack)}


def break_gates(stack: Stack) -> None:
    """Write over the files of all gates, under their hands."""
    for path in _gates(stack):
        for file in path.parent.glob(path.name + "*"):
            file.write_bytes(b"no database" * 1000)


def _gates(stack: Stack) -> list[Path]:
    return _databases(_wrangler(stack) / "do/headgate-Gate")


def _databases(folder: Path) -> list[Path]:
    """The files of a kind of object, without workerd's own."""
    return [path for path in folder.glob("*.sqlite") if path.name != "metadata.sqlite"]


def _wrangler(stack: Stack) -> Path:
    return stack.state.wrangler_data(stack.store) / "v3"


def _rows(path: Path, sql: str, *values: str) -> list[Any]:
    """Read a copy: the original may be in use, and reading one that has a log of writes would change its files."""
    copy = path.with_name(f"copy-of-{path.name}.tmp")
    copies = [copy, copy.with_name(copy.name + "-wal")]
    try:
        shutil.copy(path, copy)
        log = path.with_name(path.name + "-wal")
        if log.exists():
            shutil.copy(log, copies[1])
        with closing(sqlite3.connect(copy)) as database:
            return database.execute(sql, values).fetchall()
    finally:
        for left in copy.parent.glob(copy.name + "*"):
            left.unlink()


def _read(path: Path) -> bytes:
    """A database may drop its log meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
