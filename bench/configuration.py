"""The configuration of bare workerd: Headgate with real bindings, the pass-through Worker, and the store.

It is what a deploy sends (tools/build.py), with the two development flags and durable storage on the local disk.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tools.ports import HOST, free_port
from tools.project import local_flags, wrangler_toml
from tools.snapshot import module_lines

BENCH = Path(__file__).resolve().parent
STORAGE = "storage"  # a folder beside config.capnp

TEMPLATE = """\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [{v8_flags}],
  services = [
    (name = "headgate", worker = .headgate),
    (name = "passthrough", worker = .passthrough),
    (name = "d1", worker = .d1),
    (name = "internet", network = (allow = ["local", "private"])),
    (name = "disk", disk = (path = {storage}, writable = true)){postgres_service}
  ],
  sockets = [
    (name = "headgate", address = "{host}:{headgate_port}", http = (), service = "headgate"),
    (name = "passthrough", address = "{host}:{passthrough_port}", http = (), service = "passthrough"),
    (name = "d1", address = "{host}:{d1_port}", http = (), service = "d1")
  ]
);
const headgate :Workerd.Worker = (
  modules = [
    {modules}
  ],
  compatibilityDate = "{date}",
  compatibilityFlags = [{flags}],
  bindings = [
    {variables},
    (name = "GATE", durableObjectNamespace = "Gate"),
    (name = "GUARD", durableObjectNamespace = "Guard"),
    {store}
  ],
  durableObjectNamespaces = [
    (className = "Gate", uniqueKey = "Gate", enableSql = true),
    (className = "Guard", uniqueKey = "Guard", enableSql = true)
  ],
  durableObjectStorage = (localDisk = "disk")
);
const passthrough :Workerd.Worker = (
  modules = [(name = "passthrough.js", esModule = embed "passthrough.js")],
  compatibilityDate = "{date}",
  compatibilityFlags = ["enable_request_signal"],
  bindings = [
    {variables}
  ]
);
const d1 :Workerd.Worker = (
  modules = [(name = "d1.js", esModule = embed "d1.js")],
  compatibilityDate = "{date}",
  bindings = [(name = "DATABASE", durableObjectNamespace = "Database")],
  durableObjectNamespaces = [(className = "Database", uniqueKey = "Database", enableSql = true)],
  durableObjectStorage = (localDisk = "disk")
);
"""
D1 = """\
(name = "DB", wrapped = (
      moduleName = "cloudflare-internal:d1-api",
      innerBindings = [(name = "fetcher", service = "d1")]
    ))"""
# Nothing pools here: each connection of a request is a socket to the server.
HYPERDRIVE = """\
(name = "STORE", text = "postgres"),
    (name = "HYPERDRIVE", hyperdrive = (
      designator = "postgres", database = {database}, user = {user}, password = {password}, scheme = "postgres"
    ))"""
POSTGRES_SERVICE = """,
    (name = "postgres", external = (address = {address}, tcp = ()))"""


@dataclass(frozen=True)
class Ports:
    """Where the three services listen."""

    headgate: int
    passthrough: int
    d1: int


def write_configuration(
    folder: Path,
    main: str,
    variables: Mapping[str, str],
    postgres_url: str | None = None,
    v8_flags: Sequence[str] = (),
) -> Ports:
    """Write `folder`/config.capnp over the modules in `folder`/out, of which `main` is the entry; return the ports.

    Headgate's store is D1, or the PostgreSQL at `postgres_url`. What an earlier run stored in `folder` is gone then.
    """
    shutil.rmtree(folder / STORAGE, ignore_errors=True)
    (folder / STORAGE).mkdir()
    for name in ("passthrough.js", "d1.js"):
        (folder / name).write_bytes((BENCH / name).read_bytes())
    ports = Ports(free_port(), free_port(), free_port())
    wrangler = wrangler_toml()
    store, postgres_service = _hyperdrive(postgres_url) if postgres_url else (D1, "")
    text = TEMPLATE.format(
        v8_flags=", ".join(map(json.dumps, v8_flags)),
        host=HOST,
        headgate_port=ports.headgate,
        passthrough_port=ports.passthrough,
        d1_port=ports.d1,
        storage=json.dumps(str(folder / STORAGE)),
        store=store,
        postgres_service=postgres_service,
        modules=",\n    ".join(module_lines(folder / "out", main)),
        date=wrangler["compatibility_date"],
        flags=", ".join(f'"{flag}"' for flag in local_flags()),
        variables=",\n    ".join(f"(name = {json.dumps(k)}, text = {json.dumps(v)})" for k, v in variables.items()),
    )
    (folder / "config.capnp").write_text(text, encoding="utf-8")
    return ports


def _hyperdrive(url: str) -> tuple[str, str]:
    """Return the binding, and the service that it leads to."""
    parts = urlsplit(url)
    binding = HYPERDRIVE.format(
        database=json.dumps(parts.path.lstrip("/")),
        user=json.dumps(parts.username),
        password=json.dumps(parts.password),
    )
    return binding, POSTGRES_SERVICE.format(address=json.dumps(f"{parts.hostname}:{parts.port}"))
