"""The Worker of test_production.py (tests/contract/production) on the real runtime, under production's rules."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tools import node
from tools.env_file import render_env, write_private
from tools.ports import HOST, free_port
from tools.process import Process
from tools.production.rules import PREFIX
from tools.production_project import copy_rules
from tools.project import PYTHON_MODULES, ROOT, ToolError, local_flags, wrangler_toml
from tools.state import State
from tools.wrangler import wrangler_environment

SOURCE = ROOT / "tests" / "contract" / "production"
READY_SECONDS = 120.0
QUEUE = "headgate-production"
HYPERDRIVE = "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE"


class ProductionWorker:
    """One workerd. `settings` are those of tools/production; something listens on `database_port`."""

    def __init__(self, folder: Path, settings: Mapping[str, int], database_port: int) -> None:
        port = free_port()
        state = State(folder)
        self.lines: list[str] = []
        self._http = httpx.Client(base_url=f"http://{HOST}:{port}", timeout=60)
        project = _project(folder / "project")
        variables = {f"{PREFIX}{name}": str(value) for name, value in settings.items()}
        write_private(folder / "variables", render_env(variables))
        command = node.wrangler(
            *("dev", "--config", project, "--ip", HOST, "--port", str(free_port())),
            *("--inspector-port", "0", "--persist-to", folder, "--env-file", folder / "variables"),
            *("--show-interactive-dev-session", "false", "--compatibility-flags", *local_flags()),
        )
        environment = {
            **wrangler_environment(state),
            "HEADGATE_WORKER_PORT": str(port),
            HYPERDRIVE: f"postgres://user:password@{HOST}:{database_port}/database",
        }
        self._process = Process(command, cwd=ROOT, env=environment, on_line=lambda line, _: self.lines.append(line))
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def ask(self, name: str, *arguments: Any) -> Any:
        """Have the Worker do something; return what it tells."""
        answer = self._http.post("/", content=json.dumps({"do": name, "with": arguments}))
        assert answer.status_code == 200, (answer.text, self.lines[-20:])
        return answer.json()

    def stop(self) -> None:
        self._http.close()
        self._process.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.ask("clock")
            except (httpx.HTTPError, AssertionError):
                if self._process.exit_code() is not None or time.monotonic() > deadline:
                    raise ToolError("\n".join(["the test Worker did not start:", *self.lines[-40:]])) from None
                time.sleep(0.1)
            else:
                return


def _project(folder: Path) -> Path:
    """Lay out what wrangler bundles; return its configuration."""
    source = folder / "src"
    shutil.copytree(ROOT / "src" / "lib", source / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    copy_rules(source)
    shutil.copy(SOURCE / "entry.py", source)
    (folder / "python_modules").symlink_to(PYTHON_MODULES)
    real = wrangler_toml()
    configuration = {
        "name": QUEUE,
        "main": "src/entry.py",
        **{
            name: real[name] for name in ("compatibility_date", "compatibility_flags", "d1_databases", "python_modules")
        },
        "kv_namespaces": [{"binding": "CACHE", "id": "0" * 32}],
        "hyperdrive": [{"binding": "HYPERDRIVE", "id": "0" * 32}],
        "durable_objects": {"bindings": [{"name": "PROBE", "class_name": "Probe"}]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": ["Probe"]}],
        # No `max_retries`: the platform's own figure is tried.
        "queues": {
            "producers": [{"binding": "QUEUE", "queue": QUEUE}],
            "consumers": [
                {"queue": QUEUE, "max_batch_timeout": 1, "dead_letter_queue": f"{QUEUE}-dead"},
                {"queue": f"{QUEUE}-dead", "max_batch_timeout": 1},
            ],
        },
    }
    path = folder / "wrangler.json"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    return path
