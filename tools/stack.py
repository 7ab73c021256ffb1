"""Headgate on this machine: the Worker on the real runtime under `wrangler dev`, an edge in front of it, and the
simulated provider beside it; PostgreSQL too, when that is its store.

    with Stack(folder) as stack:
        call(stack.base_url, stack.api_key)

`make dev` and the end-to-end tests both use it. tools/setup.py must have run, with `--postgres` for that store.
"""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from tools import node
from tools.d1_target import D1Target
from tools.edge import Edge
from tools.env_file import render_env, write_private
from tools.migrate import migrate, seed
from tools.migrations import Target
from tools.ports import HOST, free_port, require_free
from tools.postgres import Postgres
from tools.postgres_target import PostgresTarget
from tools.process import Process
from tools.production_project import is_production, lay_out, production_variables
from tools.project import ROOT, ToolError, local_flags
from tools.simulator import Simulator
from tools.state import State, Store
from tools.wrangler import wrangler_environment
from tools.wrangler_noise import News

READY_SECONDS = 120.0
REFUSED_SECONDS = 15.0
LOG_LIMIT = 16 * 1024 * 1024
LOG_TAIL = 40
SNAPSHOT = "HEADGATE_SNAPSHOT"  # read by the workerd that tools/vendor.py writes
# How wrangler is told where a Hyperdrive binding leads locally. Not by the command line: that is for all to see.
HYPERDRIVE = "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE"


def own_variables(base_url: str) -> dict[str, str]:
    """What a local Headgate at `base_url` is told where nothing else is said."""
    return {"SIGN_UP": "open", "PUBLIC_URL": base_url, "MAIL": "outbox"}


class Stack:
    """One local Headgate with its data in `state`. Port 0 chooses a free one, which a restart keeps.

    `postgres` is its server, when `store` says so: a test may start it before the rest, or crash it beneath the Worker.
    `variables` are added to the Worker's environment. `snapshot` is the folder of tools/kept_snapshot.py: the Worker
    starts from it, several times as fast, and does not follow changes of the sources. `echo` is called with the lines
    worth a person's attention: warnings, errors and the Worker's own log. All lines go to `log_path`.
    """

    def __init__(
        self,
        state: Path,
        *,
        store: Store = "d1",
        port: int = 0,
        variables: Mapping[str, str] | None = None,
        snapshot: Path | None = None,
        echo: Callable[[str], None] | None = None,
    ) -> None:
        self.state = State(state)
        self.store = store
        self.postgres = Postgres(self.state.postgres, self._postgres_line) if store == "postgres" else None
        self.port = port or free_port()
        self.base_url = f"http://{HOST}:{self.port}"
        self.log_path = self.state.log
        self.sim_url = ""
        self.api_key = self.org_id = self.admin_email = self.admin_password = ""
        self.production = is_production(os.environ)
        self._variables = {**(production_variables(os.environ) if self.production else {}), **(variables or {})}
        self._snapshot = snapshot
        self._echo = echo
        self._news = News()
        self._worker_port = free_port()
        self.worker_url = f"http://{HOST}:{self._worker_port}"  # past the edge
        self.inspector_port = free_port()
        self._simulator: Simulator | None = None
        self._edge: Edge | None = None
        self._worker: Process | None = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start what does not run yet, and return when the Worker is ready. Raises ToolError."""
        try:
            if self._simulator is None:
                require_free(self.port)
                self.state.hold()
                self._trim_log()
                self._simulator = Simulator(self._line)
            if self.postgres is not None:
                self.postgres.start()
            if self._edge is None:
                self._prepare()
                self.sim_url = self._simulator.wait()
                self._edge = Edge(self.port, self._worker_port, self._line)
                self._edge.wait()
            self._start_worker()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the Worker, the edge, the simulated provider and PostgreSQL. The data stays."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        if self._edge is not None:
            self._edge.stop()
            self._edge = None
        if self._simulator is not None:
            self._simulator.stop()
            self._simulator = None
        if self.postgres is not None:
            self.postgres.stop()
        self.state.variables.unlink(missing_ok=True)
        self.state.release()

    def restart(self) -> None:
        """End the Worker in order and start it again, with the same data and all else as it runs."""
        if self._worker is not None:
            self._worker.stop()
        self.start()

    def set_variables(self, **variables: str) -> None:
        """Change the Worker's environment, and start it again."""
        self._variables |= variables
        self.restart()

    def kill(self) -> None:
        """End the Worker's processes with SIGKILL, as a crash would. `start` brings them back.

        PostgreSQL is a machine of its own: `postgres.kill` is its crash.
        """
        if self._worker is not None:
            self._worker.kill()

    def run_daily_work(self) -> None:
        """Have the Worker do what the platform's cron has it do once a day, and wait for it. Raises ToolError."""
        with urllib.request.urlopen(
            f"http://{HOST}:{self._worker_port}/cdn-cgi/local/scheduled", timeout=120
        ) as answer:
            if answer.status != 200:
                raise ToolError(f"the daily work failed: {answer.status}")

    def exit_code(self) -> int | None:
        """None while wrangler runs."""
        return self._worker.exit_code() if self._worker is not None else 0

    def target(self) -> Target:
        """The database, as its owner: for migrations, seeds and tests. PostgreSQL must run."""
        return PostgresTarget(self.postgres.owner_url) if self.postgres else D1Target.local(self.state)

    def _prepare(self) -> None:
        target = self.target()
        migrate(self.state, target)
        seed(self.state, target)
        credentials = self.state.read_credentials()
        self.api_key = credentials["api_key"]
        self.org_id = credentials["org_id"]
        self.admin_email = credentials["admin_email"]
        self.admin_password = credentials["admin_password"]

    def _start_worker(self) -> None:
        own = {**self.state.secrets(), "SIM_BASE_URL": f"{self.sim_url}/v1", **own_variables(self.base_url)}
        # A file, since every user of the machine can read a command line.
        write_private(self.state.variables, render_env({**own, **self._variables}))
        # As in production: the same sources in a project of their own, which does not follow changes.
        chosen = ("--config", lay_out(self.state.folder / "production")) if self.production else ()
        command = node.wrangler(
            "dev",
            *chosen,
            *("--ip", HOST, "--port", str(free_port()), "--inspector-port", "0"),
            *("--persist-to", self.state.wrangler_data(self.store), "--env-file", self.state.variables),
            *(("--env", "postgres") if self.postgres else ()),
            *("--show-interactive-dev-session", "false", "--compatibility-flags", *local_flags()),
        )
        # Clients reach workerd through the edge, not through wrangler's proxy, which hides a client's leaving.
        environment = {**wrangler_environment(self.state), "HEADGATE_WORKER_PORT": str(self._worker_port)}
        environment["HEADGATE_INSPECTOR_PORT"] = str(self.inspector_port)
        if self.postgres is not None:
            environment[HYPERDRIVE] = self.postgres.worker_url
        if self._snapshot is not None:
            environment[SNAPSHOT] = str(self._snapshot)
        self._worker = Process(command, cwd=ROOT, env=environment, on_line=self._line)

    def _wait_until_ready(self) -> None:
        started = time.monotonic()
        refused_since = None  # it answers, but not that it is ready
        while (answer := self._ask()) != "ready":
            now = time.monotonic()
            refused_since = (refused_since or now) if answer else None
            if self.exit_code() is not None:
                raise ToolError(f"the Worker ended (exit {self.exit_code()}). {self._log_tail()}")
            if now - started > READY_SECONDS or (refused_since and now - refused_since > REFUSED_SECONDS):
                raise ToolError(f"the Worker is not ready: /readyz answers {answer or 'nothing'}. {self._log_tail()}")
            time.sleep(0.5 if answer else 0.1)

    def _ask(self) -> str:
        """What /readyz answers: "ready", or what else it says, or nothing at all."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=30) as answer:
                return "ready" if answer.status == 200 else str(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code} {error.read(400).decode('utf-8', 'replace')}"
        except (OSError, http.client.HTTPException):  # refused, reset, or cut short
            return ""

    def _line(self, line: str, stream: int) -> None:
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        worth_it = line.startswith("{") or (stream == 2 and self._news.is_news(line))
        if self._echo and line.strip() and worth_it:
            self._echo(line)

    def _postgres_line(self, line: str, _stream: int) -> None:
        self._line(f"postgres: {line}", 1)  # a refused statement is the Worker's to report

    def _log_tail(self) -> str:
        """Where to read on. Without an echo nobody has seen the log: then its end too."""
        if self._echo or not self.log_path.exists():
            return f"See {self.log_path}"
        lines = self.log_path.read_text(encoding="utf-8").splitlines()[-LOG_TAIL:]
        return "\n".join([f"The end of {self.log_path}:", *lines])

    def _trim_log(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_LIMIT:
            os.truncate(self.log_path, 0)
