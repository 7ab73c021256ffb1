"""Set everything up, then run Headgate here until Ctrl-C or SIGTERM.

Usage: python3 -m tools.dev      (what `make dev` runs)

It reads from the environment PORT (8787), STATE (a folder; .wrangler/state), STORE (d1, or postgres, which starts a
server of its own), ENV_FILE (more variables and secrets), CREDENTIALS (where to write them; .dev/credentials.json) and
PRODUCTION (1: with production's limits and faults, docs/production.md; it does not follow changes then).
The data of both stores may live in one STATE; a run sees only its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tools.arguments import flags
from tools.env_file import read_env_file, write_private
from tools.ports import HOST, require_free
from tools.process import die_with_parent
from tools.project import ROOT, VENV_PYTHON, ToolError
from tools.setup import set_up
from tools.stack import Stack, own_variables
from tools.state import Store, store_named
from tools.worker_settings import check_variables

DEFAULT_PORT = "8787"
DEFAULT_STORE = "d1"
DEFAULT_STATE = ".wrangler/state"
DEFAULT_CREDENTIALS = ".dev/credentials.json"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

READY = """\
Ready on {base_url}

  curl -N {base_url}/v1/chat/completions \\
    -H 'Authorization: Bearer {api_key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "sim/chat-lat50-chunks20-gap50", "stream": true,
         "messages": [{{"role": "user", "content": "Hello"}}]}}'

Documentation: {base_url}/docs
Credentials:   {credentials}
Store:         {store}
Data, log:     {state}
Ctrl-C ends it."""


@dataclass(frozen=True)
class Settings:
    """What the person chose through the environment. `variables` go to the Worker and may hold secrets."""

    port: int
    store: Store
    state: Path
    credentials: Path
    variables: dict[str, str] = field(repr=False)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises ToolError naming what is wrong."""
    port = environment.get("PORT") or DEFAULT_PORT
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ToolError(f"PORT must be a number from 1 to 65535, not {port!r}")
    env_file = environment.get("ENV_FILE")
    store = store_named(environment.get("STORE") or DEFAULT_STORE)
    variables = read_env_file(Path(env_file).expanduser()) if env_file else {}
    # As the Worker will see them; it would only say that it is not ready, a minute later and above its log.
    check_variables({**own_variables(f"http://{HOST}:{port}"), **variables}, store, f"ENV_FILE {env_file}")
    return Settings(
        port=int(port),
        store=store,
        state=Path(environment.get("STATE") or ROOT / DEFAULT_STATE).expanduser(),
        credentials=Path(environment.get("CREDENTIALS") or ROOT / DEFAULT_CREDENTIALS).expanduser(),
        variables=variables,
    )


def store_shown(stack: Stack) -> str:
    return f"PostgreSQL on port {stack.postgres.port}" if stack.postgres else "D1"


def announce(stack: Stack, file: Path) -> None:
    """Write the credentials where people and programs look for them, and say how to call it."""
    content = {
        "base_url": stack.base_url,
        "api_key": stack.api_key,
        "admin_email": stack.admin_email,
        "admin_password": stack.admin_password,
        "org_id": stack.org_id,
        "sim_url": stack.sim_url,
    }
    text = json.dumps(content, indent=2) + "\n"
    write_private(stack.state.credentials, text)
    write_private(file, text)
    print(READY.format(**content, credentials=file, state=stack.state.folder, store=store_shown(stack)), flush=True)


def end_on_signals() -> None:
    """Let the first signal raise KeyboardInterrupt. Later ones must not disturb the stopping."""

    def on_signal(_number: int, _frame: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in ENDING:
        signal.signal(number, on_signal)


def await_change(folder: Path) -> None:
    """Return when a Python file below `folder` has been changed, added or removed."""

    def seen() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*.py")}

    before = seen()
    while seen() == before:
        time.sleep(0.5)


def serve(settings: Settings) -> NoReturn:
    """Run until a signal, which raises KeyboardInterrupt after all has ended.

    wrangler ends by itself when a change of the code does not even import. Then the next change starts it again.
    """
    end_on_signals()
    stack = Stack(
        settings.state,
        store=settings.store,
        port=settings.port,
        variables=settings.variables,
        echo=lambda line: print(line, flush=True),
    )
    with stack:
        announce(stack, settings.credentials)
        while True:
            while stack.exit_code() is None:
                time.sleep(0.5)
            print(
                f"dev: wrangler ended: see {stack.log_path}. It starts again when a file of src/ changes.", flush=True
            )
            await_change(ROOT / "src")
            with contextlib.suppress(ToolError):  # said in the log; the next change is the next chance
                stack.start()
                announce(stack, settings.credentials)


def main() -> NoReturn:
    options = flags(
        __doc__,
        exit_with_parent="end when the program ends that has started it",
        is_set_up="bring nothing: all is there",  # from ourselves, once it is
    )
    if options.exit_with_parent:
        die_with_parent(signal.SIGTERM)
    settings = read_settings(os.environ)
    require_free(settings.port)
    if options.is_set_up:
        serve(settings)
    set_up(postgres=settings.store == "postgres")
    # The seed needs the development packages. The same process goes on, so signals still reach it.
    path = os.pathsep.join(str(folder) for folder in (ROOT / "src", ROOT))
    command = [str(VENV_PYTHON), "-m", "tools.dev", "--is-set-up", *sys.argv[1:]]
    os.execve(VENV_PYTHON, command, {**os.environ, "PYTHONPATH": path})


if __name__ == "__main__":
    try:
        main()
    except ToolError as error:
        sys.exit(f"dev: {error}")
    except KeyboardInterrupt:
        sys.exit(0)
