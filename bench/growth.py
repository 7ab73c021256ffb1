"""How cost grows: one dimension at a time, from ten to where it hurts, on bare workerd with its tables filled by SQL.

Each measurement is one run, on whatever else the machine does: compare within a line.
"""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases import PATH
from bench.configuration import STORAGE
from bench.load import Expected, Job, LoadGenerator, Result
from bench.stage import Stage
from bench.workerd import ask
from lib.secrets import api_keys
from tools.ports import HOST
from tools.project import ToolError

ENTRY = "bench_growth_entry.py"
MIB = 2**20
SETTLE_SECONDS = 1.5  # what has been answered is settled and delivered by then
TIMEOUT_SECONDS = 300
ROWS_A_CALL = ("rows that D1 reads a call", "rows that the gate reads a call")
SUCCESS = 2  # the hundreds of a status


@dataclass(frozen=True)
class Figure:
    """One thing that was measured at one size of a dimension."""

    name: str
    size: int
    value: float


@dataclass(frozen=True)
class Copies:
    """Rows `first` to `last` - 1 of a table (each, or one in `step`), like one that `where` finds.

    `changed` says what is another: SQL over `i`. So a table may get another column, and this still fills it.
    """

    table: str
    first: int
    last: int
    changed: Mapping[str, str]
    where: str = "true"
    step: int = 1

    def sql(self, columns: Sequence[str]) -> str:
        values = ", ".join(self.changed.get(name, f"model.{name}") for name in columns)
        return (
            f"WITH RECURSIVE n (i) AS (SELECT {self.first} UNION ALL SELECT i + {self.step} FROM n"
            f" WHERE i + {self.step} < {self.last})"
            f" INSERT OR IGNORE INTO {self.table} ({', '.join(columns)})"
            f" SELECT {values} FROM n, (SELECT * FROM {self.table} WHERE {self.where} LIMIT 1) AS model"
        )


@dataclass(frozen=True)
class Effort:
    """How far to go. `sizes` thins a dimension's sizes out, `milliseconds` is a load's length, `calls` a probe's."""

    most: int
    milliseconds: int
    calls: int

    def sizes(self, *sizes: int) -> list[int]:
        return [size for size in sizes if size <= self.most] or [sizes[0]]


WHOLE = Effort(most=1_000_000, milliseconds=2_000, calls=40)
QUICK = Effort(most=10_000, milliseconds=600, calls=15)


@dataclass
class Ground:
    """A Headgate over data that can be changed behind its back while it is stopped."""

    stage: Stage
    folder: Path
    generator: LoadGenerator
    effort: Effort
    secret: str
    keys: list[str] = field(default_factory=list)

    # What is measured

    def call(self, method: str, path: str, body: object = None, key: str | None = None) -> Any:
        """Ask once, and return the JSON, or the bytes of what is none. Raises ToolError for a refusal."""
        answer, text = self._exchange(method, path, body, key)
        if answer // 100 != SUCCESS:
            raise ToolError(f"{method} {path} answers {answer}: {text[:300].decode(errors='replace')}")
        return json.loads(text) if text.startswith(b"{") and b"\n{" not in text[:5000] else text

    def milliseconds(self, method: str, path: str, body: object = None, *, best_of: int = 1) -> float:
        """How long an answer takes, to its last byte: the least of so many times."""
        took = []
        for _ in range(best_of):
            started = time.perf_counter()
            self.call(method, path, body)
            took.append((time.perf_counter() - started) * 1000)
        return min(took)

    def load(
        self, bodies: Sequence[str], *, connections: int = 16, pause: int = 0, requests: int | None = None
    ) -> Result:
        """Chat calls; workerd's processor time for each is in the result."""
        job = Job(
            port=self.stage.headgate.port,
            path=PATH,
            key=self.stage.headgate.key,
            body="",
            bodies=[*bodies] * -(-connections // len(bodies)),  # each connection has one of its own
            connections=connections,
            milliseconds=self.effort.milliseconds,
            requests=requests,
            pause=pause,
            expected=Expected(),
        )
        return self.measured(job)

    def measured(self, job: Job) -> Result:
        before = self.stage.workerd.cpu_seconds()
        result = self.generator.run(job)
        used = (self.stage.workerd.cpu_seconds() - before) * 1000 / result.requests
        return Result(result.requests, result.rate, result.ttfb, result.total, used)

    def cpu_ms(self, work: Callable[[], None], times: int) -> float:
        """Workerd's processor time for each of what `work` asks so many times."""
        before = self.stage.workerd.cpu_seconds()
        work()
        return (self.stage.workerd.cpu_seconds() - before) * 1000 / times

    def memory(self) -> Mapping[str, int]:
        found: dict[str, int] = json.loads(ask(self.stage.ports.headgate, "/__bench/memory"))
        return found

    def rows(self) -> tuple[int, int]:
        """How many rows D1 and the gates have read so far."""
        in_gates = json.loads(ask(self.stage.ports.headgate, "/__bench/rows"))["gate"]
        return int(ask(self.stage.ports.d1, "/rows")), int(in_gates)

    def rows_a_call(self, size: int, bodies: Sequence[str]) -> Iterator[Figure]:
        """Rows that D1 and the gate read for a call, what follows it included."""
        before = self.rows()
        self.load(bodies, connections=1, pause=20, requests=self.effort.calls)
        time.sleep(SETTLE_SECONDS)
        after = self.rows()
        for name, one, other in zip(ROWS_A_CALL, after, before, strict=True):
            yield Figure(name, size, (one - other) / self.effort.calls)

    # What is there

    def fill(self, *copies: Copies, gate: bool = False, then: Sequence[str] = ()) -> None:
        """Stop, put rows into D1's file or the gate's, change there what else must be, start."""

        def fill() -> None:
            with closing(sqlite3.connect(self.database("Gate" if gate else "Database"), isolation_level=None)) as file:
                file.create_function("key_hash", 1, self.key_hash)
                file.execute("PRAGMA synchronous = OFF")
                file.execute("BEGIN")
                for each in copies:
                    names = [str(row[1]) for row in file.execute(f"PRAGMA table_info({each.table})")]
                    file.execute(each.sql(names))
                for sql in then:
                    file.execute(sql)
                file.execute("COMMIT")

        self.stage.restart(fill)

    def database(self, namespace: str) -> Path:
        """The SQLite file of D1, or of the one organisation's gate. Raises ToolError."""
        table = {"Gate": "journal", "Database": "orgs"}[namespace]
        for file in (self.folder / STORAGE / namespace).glob("*.sqlite"):
            with closing(sqlite3.connect(file)) as opened:
                if opened.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                    return file
        raise ToolError(f"{namespace} has no file with the table {table}")

    def key_hash(self, number: int) -> str:
        """The stored hash of the key number so many, which is made with it."""
        while len(self.keys) <= number:
            self.keys.append(api_keys.new_key())
        return api_keys.key_hash(self.keys[number], api_keys.derive(self.secret, "api-key-pepper"))

    def _exchange(self, method: str, path: str, body: object, key: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.stage.headgate.port, timeout=TIMEOUT_SECONDS)
        headers = {"authorization": f"Bearer {key or self.stage.headgate.key}"}
        if method == "PATCH":
            headers["if-match"] = "*"
        text = None
        if body is not None:
            text, headers["content-type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error).encode()
        finally:
            connection.close()


@contextmanager
def ground(folder: Path, url: str, generator: LoadGenerator, effort: Effort) -> Iterator[Ground]:
    """Yield a new Headgate over the modules in `folder`/out, with an organisation and its administrator's key."""
    here = Path(__file__).parent
    shutil.copyfile(here / "memory_entry.py", folder / "out" / "memory_entry.py")
    shutil.copyfile(here / "growth_entry.py", folder / "out" / ENTRY)
    secret = secrets.token_hex(32)
    with Stage(folder, url, main=ENTRY, more={"HEADGATE_SECRET": secret}) as stage:
        yield Ground(stage, folder, generator, effort, secret)


def chat(user: str | None = None, model: str = "sim/chat", **fields: object) -> str:
    """A small call's body."""
    said = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields}
    return json.dumps({**said, "user": user} if user else said)


def identifier(number: str, kind: str) -> str:
    """SQL for an id that sorts by number; `kind` is four hexadecimal digits that keep tables apart."""
    return f"printf('01a10000-{kind}-7000-8000-%012x', {number})"
