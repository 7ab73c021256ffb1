"""Headgate in one's own Cloudflare account: everything it needs is made where it is missing, and run again it updates.

Usage: python3 -m tools.deploy [--dry-run] [--unattended]      (what `make deploy` runs)

It reads deploy.toml and deploy.secrets.env, which git ignores, and from the environment STORE (d1, or postgres with
DATABASE_URL of the tables' owner), ADMIN_EMAIL (the first administrator, at the first run) and wrangler's own
CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID; without these a person signs in with a browser. docs/deployment.md tells
the whole way.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.arguments import flags
from tools.build import build, check_size, upload_kib
from tools.env_file import write_private
from tools.overlay import SECRETS, SETTINGS, TEMPLATE, Overlay, read_overlay, write_configuration
from tools.project import ROOT, VENV, VENV_PYTHON, ToolError
from tools.setup import set_up
from tools.state import Store, store_named

HYPERDRIVE = """\
PostgreSQL is reached through Hyperdrive: make a configuration (docs/deployment.md), and put its id into deploy.toml:
  hyperdrive_id = "…"      # what `wrangler hyperdrive create` prints"""


def dry_run(configuration: Path) -> float:
    """Build as a deploy would; return the size in KiB."""
    with tempfile.TemporaryDirectory() as folder:
        return upload_kib(build(Path(folder), configuration=configuration))


def check_ready(store: Store, overlay: Overlay, environment: Mapping[str, str]) -> None:
    """Raises ToolError where something is missing that only a person can make."""
    if store == "postgres" and not overlay.hyperdrive_id:
        raise ToolError(HYPERDRIVE)
    if store == "postgres" and not environment.get("DATABASE_URL"):
        raise ToolError("DATABASE_URL must name the database as the tables' owner: they are migrated before the code.")


def check_somebody(overlay: Overlay, environment: Mapping[str, str]) -> None:
    """Raises ToolError where nobody says who the administrator is, and nobody can be asked."""
    if not (overlay.admin_email or environment.get("ADMIN_EMAIL") or sys.stdin.isatty()):
        raise ToolError("who is the first administrator? Say it once: make deploy ADMIN_EMAIL=you@example.com")


def administrator(overlay: Overlay, environment: Mapping[str, str], settings: Path = SETTINGS) -> str:
    """Return the first administrator's address, asking for it once, and keep it in deploy.toml. Raises ToolError."""
    from tools.seed import checked_email  # noqa: PLC0415 # it needs packages that the set-up brings first

    if overlay.admin_email:
        return checked_email(overlay.admin_email)
    said = environment.get("ADMIN_EMAIL") or input("Your e-mail address, as Headgate's first administrator: ")
    email = checked_email(said.strip())
    text = settings.read_text(encoding="utf-8") if settings.exists() else ""
    line = f"admin_email = {_toml(email)}\n"
    write_private(settings, line + text if text else TEMPLATE.format(email=_toml(email)))
    return email


def own_secret(overlay: Overlay, environment: Mapping[str, str]) -> str:
    """Return this checkout's HEADGATE_SECRET, or nothing."""
    return overlay.secrets.get("HEADGATE_SECRET") or environment.get("HEADGATE_SECRET") or ""


def made_secret(file: Path = SECRETS) -> str:
    """Make HEADGATE_SECRET, and keep it beside the checkout: Cloudflare shows it to nobody again."""
    secret = secrets.token_hex(32)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    write_private(file, f"{text}HEADGATE_SECRET={secret}\n")
    return secret


def _toml(text: str) -> str:
    """A basic string: the address has no control characters."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> int:
    options = flags(
        __doc__,
        dry_run="build, and print the size; send nothing",
        unattended="as a build at Cloudflare does: ask nothing, make no secret and no administrator",
        is_set_up="bring nothing: all is there",  # from ourselves, once it is
    )
    store = store_named(os.environ.get("STORE") or "d1")
    overlay = read_overlay(store)
    if options.dry_run:
        print("Size: " + check_size(dry_run(write_configuration(overlay, store))))
        return 0
    check_ready(store, overlay, os.environ)
    if not options.unattended:
        check_somebody(overlay, os.environ)
    if not options.is_set_up:
        set_up()
        # The steps need the development packages.
        path = os.pathsep.join(str(folder) for folder in (ROOT / "src", ROOT))
        command = [str(VENV_PYTHON), "-m", "tools.deploy", "--is-set-up", *sys.argv[1:]]
        os.execve(VENV_PYTHON, command, {**os.environ, "PYTHONPATH": path, "VIRTUAL_ENV": str(VENV)})
    from tools.deploy_steps import Deployment  # noqa: PLC0415 # as above

    email = "" if options.unattended else administrator(overlay, os.environ)
    Deployment(store, overlay, email).run()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"deploy: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
