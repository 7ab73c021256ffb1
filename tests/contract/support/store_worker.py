"""The test Worker (tests/contract/worker) on the real runtime, with both stores and a gate bound."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tools import node
from tools.ports import HOST, free_port
from tools.process import Process
from tools.production_project import copy_rules, is_production, production_variables
from tools.project import PYTHON_MODULES, ROOT, ToolError, local_flags, wrangler_toml
from tools.state import State
from tools.wrangler import wrangler_environment

WORKER = ROOT / "tests" / "contract" / "worker"
READY_SECONDS = 120.0
# How wrangler is told where a Hyperdrive binding leads locally.
HYPERDRIVE = "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_"


class StoreWorker:
    """One workerd with D1 (binding DB, its data in `state`) and a Hyperdrive binding for each of `databases`."""

    def __init__(self, state: State, databases: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.lines: list[str] = []
        self._http = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=None, max_keepalive_connections=20))
        project = _project(state.folder / "project", list(databases))
        command = node.wrangler(
            *("dev", "--config", project / "wrangler.toml", "--ip", HOST, "--port", str(free_port())),
            *("--inspector-port", "0", "--persist-to", state.folder),
            *("--show-interactive-dev-session", "false", "--compatibility-flags", *local_flags()),
        )
        environment = {
            **wrangler_environment(state),
            "HEADGATE_WORKER_PORT": str(self.port),  # not through wrangler's proxy, which hides a client's leaving
            **{HYPERDRIVE + binding: url for binding, url in databases.items()},
        }
        self._process = Process(command, cwd=project, env=environment, on_line=lambda line, _: self.lines.append(line))
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def send(self, text: str) -> str:
        """Ask as one client; any thread may."""
        answer = self._http.post(self.url, content=text)
        assert answer.status_code == 200, (answer.text, self.lines[-20:])
        return answer.text

    def stop(self) -> None:
        self._http.close()
        self._process.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._http.post(self.url, content="{}").raise_for_status()
            except httpx.HTTPError:
                if self._process.exit_code() is not None or time.monotonic() > deadline:
                    raise ToolError("\n".join(["the test Worker did not start:", *self.lines[-40:]])) from None
                time.sleep(0.1)
            else:
                return


def _project(folder: Path, hyperdrives: list[str]) -> Path:
    """Lay out what wrangler bundles: the Worker and the library in one folder, and the modules beside it."""
    source = folder / "src"
    shutil.copytree(ROOT / "src" / "lib", source / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(WORKER / "entry.py", source)
    package = source / WORKER.relative_to(ROOT)
    package.mkdir(parents=True)
    for module in WORKER.glob("*.py"):
        if module.name != "entry.py":
            shutil.copy(module, package)
    production = {}
    if is_production(os.environ):
        copy_rules(source)
        production = {"PRODUCTION": "1", **production_variables(os.environ)}
    (folder / "python_modules").symlink_to(PYTHON_MODULES)
    real = wrangler_toml()
    [d1] = real["d1_databases"]
    lines = [
        'name = "headgate-contract"',
        'main = "src/entry.py"',
        f"compatibility_date = '{real['compatibility_date']}'",
        f"compatibility_flags = {real['compatibility_flags']!r}",
        "[[d1_databases]]",
        *(f"{name} = '{d1[name]}'" for name in ("binding", "database_name", "preview_database_id")),
        "[[durable_objects.bindings]]",
        'name = "PLAYED_GATE"',
        'class_name = "PlayedGate"',
        "[[migrations]]",
        'tag = "v1"',
        'new_sqlite_classes = ["PlayedGate"]',
        "[python_modules]",
        f"exclude = {real['python_modules']['exclude']!r}",
    ]
    lines += ["[vars]", *(f"{name} = '{value}'" for name, value in production.items())]
    for binding in hyperdrives:
        lines += ["[[hyperdrive]]", f"binding = '{binding}'", f"id = '{'0' * 32}'"]
    (folder / "wrangler.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
