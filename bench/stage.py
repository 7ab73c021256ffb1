"""Headgate on bare workerd, migrated and seeded, with the simulated provider behind it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from bench.cases import DIRECT, HEADGATE, PASSTHROUGH, PATH, Case, Contestant
from bench.configuration import write_configuration
from bench.load import Job
from bench.workerd import Workerd, ask
from tools.postgres import Postgres
from tools.postgres_target import PostgresTarget
from tools.project import ROOT, ToolError, wrangler_toml
from tools.seed import seed_statements

# What a call leaves is settled and on its way to the store by then: the gate gathers records for half a second.
BEHIND_SECONDS = 0.7
ENTRY = Path(wrangler_toml()["main"]).name


def variables(simulator_url: str) -> dict[str, str]:
    """Return an environment for the Worker, with a new secret."""
    return {"HEADGATE_SECRET": secrets.token_hex(32), "SIM_BASE_URL": f"{simulator_url}/v1", "SIM_API_KEY": "sim"}


class Stage:
    """Runs the modules in `folder`/out (see tools/build.py) over fresh data, with `main` as the entry.

    `options` are workerd's, `v8_flags` V8's, `more` is added to the Worker's variables. The store is D1, or `postgres`,
    which must run and be new. Use it as a context: what it starts ends with it.
    """

    def __init__(
        self,
        folder: Path,
        simulator_url: str,
        *options: str,
        main: str = ENTRY,
        postgres: Postgres | None = None,
        more: Mapping[str, str] | None = None,
        v8_flags: Sequence[str] = (),
    ) -> None:
        environment = {**variables(simulator_url), **(more or {})}
        url = postgres.worker_url if postgres else None
        self.ports = write_configuration(folder, main, environment, url, v8_flags)
        self._folder, self._options = folder, options
        self.workerd = Workerd(folder, *options)
        try:
            self.workerd.first_answer(self.ports.headgate)
            credentials, seed = seed_statements(environment["HEADGATE_SECRET"])
            if postgres:
                target = PostgresTarget(postgres.owner_url)
                target.up()
                target.execute(seed)
            else:
                for script in (*migrations(), seed):
                    self.execute(script)
        except BaseException:
            self.workerd.stop()
            raise
        self.org_id = credentials.org_id
        self.headgate = Contestant(
            HEADGATE, self.ports.headgate, credentials.api_key, self.cpu_seconds, rest=BEHIND_SECONDS
        )
        self.contestants = (
            Contestant(DIRECT, int(simulator_url.rpartition(":")[2]), "any"),
            Contestant(PASSTHROUGH, self.ports.passthrough, "any", self.cpu_seconds),
            self.headgate,
        )

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.workerd.stop()

    def restart(self, between: Callable[[], None] = lambda: None) -> None:
        """Stop workerd, do what is to be done meanwhile with its files, and start it over the same data."""
        self.workerd.stop()
        between()
        self.workerd = Workerd(self._folder, *self._options)
        self.workerd.first_answer(self.ports.headgate)

    def job(self, case: Case, requests: int, connections: int = 1, pause: int = 0) -> Job:
        """Return so many requests of one case to Headgate. `pause` is between two of a connection, in ms."""
        return Job(
            port=self.headgate.port,
            path=PATH,
            key=self.headgate.key,
            body=case.body,
            connections=connections,
            milliseconds=0,
            requests=requests,
            pause=pause,
            expected=case.expected,
        )

    def cpu_seconds(self) -> float:
        """What workerd has used since it was started last."""
        return self.workerd.cpu_seconds()

    def execute(self, script: str) -> None:
        """Run a SQL script on D1. Raises ToolError."""
        answer = ask(self.ports.d1, "/execute-script", script.encode())
        if answer != b"done\n":
            raise ToolError(f"the database refused a script: {answer.decode(errors='replace')}")


def migrations() -> list[str]:
    """Return the SQL scripts, in order."""
    folder = ROOT / wrangler_toml()["d1_databases"][0]["migrations_dir"]
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))]
