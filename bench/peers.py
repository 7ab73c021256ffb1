"""Two other gateways beside Headgate, for `make bench PEERS=1`: LiteLLM from PyPI and Portkey's from npm.

They come into .tools/peers/, by their locks, and only for such a run. Both are set up as their own pages say for
production, with one process each, as Headgate's isolate is one, and nothing that stores: neither counts what a caller
spends, nor keeps a record of the call.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.cases import JSON, PATH, Contestant
from bench.processor import cpu_seconds
from tools import node
from tools.ports import HOST, free_port
from tools.process import Process
from tools.project import PORTKEY, REQUIREMENTS, TOOLS, ToolError, toolchain
from tools.python_env import NETWORK_HINT, base_python, uv
from tools.run import run
from tools.steps import Step, do_in_order, replace_folder

LITELLM_NAME, PORTKEY_NAME = "LiteLLM", "Portkey"
BROUGHT = TOOLS / "peers"
READY_SECONDS = 120.0
LITELLM_KEY = "sk-bench"
# https://docs.litellm.ai/docs/proxy/prod: one worker, no debug output, no price file from the network.
LITELLM_ENVIRONMENT = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
SETTINGS = {
    LITELLM_NAME: "`litellm --num_workers 1`, a master key, one model, no database or Redis, `LITELLM_MODE=PRODUCTION`",
    PORTKEY_NAME: "`start-server.js --headless` on Node, `NODE_ENV=production`, the provider's address by header",
}


def versions() -> Mapping[str, str]:
    """Return which version of each is pinned."""
    return {LITELLM_NAME: toolchain().litellm, PORTKEY_NAME: toolchain().portkey}


def bring() -> None:
    """Install what is missing of them. Raises ToolError."""
    lock, portkey_lock = REQUIREMENTS / "litellm.txt", PORTKEY / "package-lock.json"
    stamps = TOOLS / "stamps"
    do_in_order(
        [
            Step(LITELLM_NAME, _bring_litellm, stamps / "litellm", _litellm(), (lock,), (str(BROUGHT),)),
            Step(PORTKEY_NAME, _bring_portkey, stamps / "portkey", _portkey(), (portkey_lock,)),
        ]
    )


@contextmanager
def running(folder: Path, simulator_url: str) -> Iterator[list[Contestant]]:
    """Yield both, answering, with the simulated provider behind them. Raises ToolError where one does not come up."""
    processes: list[Process] = []
    try:
        contestants = [
            _start(processes, LITELLM_NAME, *_litellm_command(folder, simulator_url), LITELLM_KEY, {}),
            _start(processes, PORTKEY_NAME, *_portkey_command(), "any", _portkey_headers(simulator_url)),
        ]
        for contestant in contestants:
            _wait(contestant)
        yield contestants
    finally:
        for process in processes:
            process.stop(2)


def _litellm() -> Path:
    return BROUGHT / "litellm" / "bin" / "litellm"


def _portkey() -> Path:
    return BROUGHT / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def _bring_litellm() -> None:
    folder = BROUGHT / "litellm"
    run([*uv(), "venv", "--quiet", "--clear", "--python", base_python(), folder], what="making LiteLLM's environment")
    command = [*uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", folder / "bin" / "python"]
    run([*command, REQUIREMENTS / "litellm.txt"], what="installing LiteLLM", hint=NETWORK_HINT)


def _bring_portkey() -> None:
    partial_folder = BROUGHT / "portkey.partial"
    shutil.rmtree(partial_folder, ignore_errors=True)
    shutil.copytree(PORTKEY, partial_folder)
    found = node.find()
    command: list[str | Path] = [found.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run(command, what="installing Portkey's gateway", env=node.environment(found), cwd=partial_folder)
    replace_folder(partial_folder, BROUGHT / "portkey")


def _litellm_command(folder: Path, simulator_url: str) -> tuple[int, Sequence[str], Mapping[str, str]]:
    parameters = {"model": "openai/sim/*", "api_base": f"{simulator_url}/v1", "api_key": "sim"}
    settings = {
        "model_list": [{"model_name": "sim/*", "litellm_params": parameters}],
        "general_settings": {"master_key": LITELLM_KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    port = free_port()
    command = [str(_litellm()), "--config", str(path), "--host", HOST, "--port", str(port), "--num_workers", "1"]
    return port, [*command, "--telemetry", "False"], LITELLM_ENVIRONMENT


def _portkey_command() -> tuple[int, Sequence[str], Mapping[str, str]]:
    port = free_port()
    return port, [str(node.find().node), str(_portkey()), f"--port={port}", "--headless"], {"NODE_ENV": "production"}


def _portkey_headers(simulator_url: str) -> Mapping[str, str]:
    return {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{simulator_url}/v1"}


def _start(
    processes: list[Process],
    name: str,
    port: int,
    command: Sequence[str],
    more: Mapping[str, str],
    key: str,
    headers: Mapping[str, str],
) -> Contestant:
    environment = {**os.environ, **more}
    process = Process(command, cwd=BROUGHT, env=environment, on_line=lambda _line, _stream: None)
    processes.append(process)
    return Contestant(name, port, key, partial(cpu_seconds, process.pid), headers, peer=True)


def _wait(contestant: Contestant) -> None:
    deadline = time.monotonic() + READY_SECONDS
    headers = {
        "authorization": f"Bearer {contestant.key}",
        "content-type": "application/json",
        **contestant.headers,
    }
    address = f"http://{HOST}:{contestant.port}{PATH}"
    said: object = "nothing"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, JSON.body.encode(), headers), timeout=10):
                return
        except urllib.error.HTTPError as error:
            said = error.read()[:500]
        except OSError as error:
            said = error
        time.sleep(0.2)
    raise ToolError(f"{contestant.name} does not answer: {said!r}")
