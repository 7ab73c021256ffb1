"""One's Cloudflare account, through wrangler: who is signed in, what is there, and what is made in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import node
from tools.env_file import write_private
from tools.project import ROOT, TOOLS, VENV, ToolError
from tools.run import shortened

NO_WORKER = re.compile(r'Worker ".*" not found')
NO_R2 = re.compile(r"\[code: 10042\]")
NO_QUEUE = re.compile(r'Queue ".*" does not exist')
ADDRESS = re.compile(r"(?:https://)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?:/\*?)?(?: \(.*\))?")

CACHED = """\
Hyperdrive's cache is on for {name!r}: a revoked key would go on working for a minute. Switch it off, and run this
again:
  node_modules/.bin/wrangler hyperdrive update {key} --caching-disabled"""


def official_deployer() -> list[str]:
    """The official command. It fetches the Worker's packages anew from Pyodide's index, and hands over to wrangler."""
    return [str(VENV / "bin" / "pywrangler"), "deploy"]


@dataclass(frozen=True)
class Deployed:
    """Where a deployment answers: addresses with https, the first one first."""

    addresses: tuple[str, ...]


class Account:
    """The account that wrangler is signed in to. `configuration` is the file that it works by.

    Each method raises ToolError with what wrangler says.
    """

    def __init__(self, configuration: Path, deployer: Sequence[str] | None = None) -> None:
        self._configuration = configuration
        self._deployer = list(deployer or official_deployer())

    def sign_in(self) -> str:
        """Return who is signed in; a person at a terminal is asked to sign in first."""
        done = self._run("whoami", "--json")
        if done.returncode != 0 and sys.stdin.isatty():
            subprocess.run(node.wrangler("login"), cwd=ROOT, env=environment(), check=False)
            done = self._run("whoami", "--json")
        if done.returncode != 0 and environment().get("CLOUDFLARE_API_TOKEN"):
            raise _failure("wrangler whoami", done)
        if done.returncode != 0:
            raise ToolError(
                "nobody is signed in to Cloudflare: run `make deploy` at a terminal, or set CLOUDFLARE_API_TOKEN."
            )
        found = json.loads(done.stdout)
        accounts = {str(account["id"]): str(account["name"]) for account in found["accounts"]}
        wanted = self._account_id()
        if wanted in accounts:
            return f"{found.get('email') or 'a token'}, account {accounts[wanted]!r}"
        if wanted or len(accounts) != 1:
            listed = "".join(f'\n  account_id = "{key}"   # {name}' for key, name in accounts.items())
            raise ToolError(f"which account? Put one of these lines at the top of deploy.toml:{listed}")
        return f"{found.get('email') or 'a token'}, account {next(iter(accounts.values()))!r}"

    def make_queue(self, name: str) -> bool:
        """Make a queue where it is missing; return whether it was."""
        done = self._run("queues", "info", name)
        if done.returncode == 0:
            return False
        if not NO_QUEUE.search(done.stdout + done.stderr):
            raise _failure(f"wrangler queues info {name}", done)
        self._ask("queues", "create", name)
        return True

    def has_database(self, name: str) -> bool:
        """Whether D1 has a database of this name."""
        return any(found.get("name") == name for found in json.loads(self._ask("d1", "list", "--json")))

    def has_r2(self) -> bool:
        """Whether R2 is switched on: Cloudflare wants a way to pay for that, also where nothing is to be paid."""
        done = self._run("r2", "bucket", "list")
        if done.returncode != 0 and not NO_R2.search(done.stdout + done.stderr):
            raise _failure("wrangler r2 bucket list", done)
        return done.returncode == 0

    def check_hyperdrive(self, key: str) -> None:
        """Raises ToolError unless this configuration is there and answers nothing out of a cache."""
        found = json.loads(self._ask("hyperdrive", "get", key))
        if (found.get("caching") or {}).get("disabled") is not True:
            raise ToolError(CACHED.format(key=key, name=found.get("name", "?")))

    def secret_names(self) -> frozenset[str]:
        """The names of the Worker's secrets; none where there is no Worker yet."""
        done = self._run("secret", "list", "--format", "json")
        if done.returncode != 0 and NO_WORKER.search(done.stdout + done.stderr):
            return frozenset()
        if done.returncode != 0:
            raise _failure("wrangler secret list", done)
        return frozenset(str(secret["name"]) for secret in json.loads(done.stdout))

    def deploy(self, secrets: Mapping[str, str]) -> Deployed:
        """Send the Worker, and with it the secrets; those that it has besides stay. What wrangler says is shown."""
        with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
            told, file = Path(folder) / "told.ndjson", Path(folder) / "secrets.json"
            write_private(file, json.dumps(dict(secrets)))  # JSON: in other forms wrangler would expand a $NAME
            also = ["--secrets-file", str(file)] if secrets else []
            code = subprocess.run(
                [*self._deployer, "--config", str(self._configuration), *also],
                cwd=ROOT,
                env={**environment(), "WRANGLER_OUTPUT_FILE_PATH": str(told)},
                stdin=subprocess.DEVNULL,
                check=False,
            ).returncode
            if code != 0:
                raise ToolError(f"the deploy failed (exit {code}): see above. Run it again when that is mended.")
            return Deployed(_addresses(told.read_text(encoding="utf-8") if told.exists() else ""))

    def _account_id(self) -> str:
        kept = json.loads(self._configuration.read_text(encoding="utf-8")).get("account_id")
        return str(kept or environment().get("CLOUDFLARE_ACCOUNT_ID") or "")

    def _ask(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise _failure("wrangler " + " ".join(arguments), done)
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            node.wrangler(*arguments, "--config", self._configuration),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def environment() -> dict[str, str]:
    """wrangler's: it asks nothing, changes no configuration of ours and finds our Node and uv."""
    found = node.environment(node.find())
    found.pop("FORCE_COLOR", None)
    return {
        **found,
        "PATH": f"{VENV / 'bin'}:{TOOLS / 'uv' / 'bin'}:{found['PATH']}",
        "CI": "true",
        "NO_COLOR": "1",
        "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_LOG_PATH": str(ROOT / ".wrangler" / "logs"),
        "WRANGLER_SEND_ERROR_REPORTS": "false",
        "WRANGLER_SEND_METRICS": "false",
    }


def _failure(what: str, done: subprocess.CompletedProcess[str]) -> ToolError:
    lines = shortened((done.stdout + done.stderr).strip().splitlines())
    return ToolError("\n".join([f"{what} failed (exit {done.returncode}):", *lines]))


def _addresses(told: str) -> tuple[str, ...]:
    """What wrangler wrote into its output file: among the targets are also queues and times of the cron."""
    found: list[Any] = [json.loads(line) for line in told.splitlines() if line.strip()]
    targets = [str(target) for entry in found if entry.get("type") == "deploy" for target in entry.get("targets") or ()]
    return tuple("https://" + match[1] for target in targets if (match := ADDRESS.fullmatch(target)))
