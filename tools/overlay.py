"""One's own deployment: deploy.toml and deploy.secrets.env, laid over wrangler.toml. Git ignores them.

deploy.toml holds what wrangler.toml may hold (`vars`, `routes`, `account_id`, `name` …), and two settings of ours:
`admin_email`, the first administrator's address, and `hyperdrive_id`, for PostgreSQL. With another `name`
the queues, the database and the bucket are named after it too, so that one account can have two deployments.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.env_file import parse_env
from tools.project import ROOT, ToolError, wrangler_toml
from tools.state import Store
from tools.worker_settings import check_variables

Json = dict[str, Any]

SETTINGS = ROOT / "deploy.toml"
SECRETS = ROOT / "deploy.secrets.env"
CONFIG = ROOT / "wrangler.deploy.json"  # at the top, since paths in it begin where it lies
NAME = "headgate"
OURS = ("admin_email", "hyperdrive_id")
NAMED_AFTER_IT = ("queue", "dead_letter_queue", "database_name", "bucket_name")
LOCAL_ONLY = ("preview_id", "preview_database_id")
TEMPLATE = """\
# This deployment's own settings, laid over wrangler.toml; git ignores this file. docs/deployment.md tells the rest.
admin_email = {email}

[vars]
# PUBLIC_URL = "https://headgate.example.com"
"""


@dataclass(frozen=True)
class Overlay:
    """What a deployment adds. `settings` is what wrangler knows; `secrets` go nowhere but to Cloudflare."""

    settings: Json
    admin_email: str
    hyperdrive_id: str
    secrets: Mapping[str, str]


def read_overlay(store: Store, settings: Path = SETTINGS, secrets: Path = SECRETS) -> Overlay:
    """Read the two files, which may be missing. Raises ToolError for what wrangler or the Worker would refuse."""
    try:
        content = tomllib.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ToolError(f"{settings.name}: {error}") from error
    own = {name: content.pop(name, "") for name in OURS}
    for name, value in own.items():
        if not isinstance(value, str):
            raise ToolError(f"{settings.name}: {name} must be a text.")
    unknown = sorted(set(content) - set(wrangler_toml()) - KNOWN)
    if unknown:
        raise ToolError(f"{settings.name}: nobody knows {', '.join(unknown)}.")
    kept = parse_env(secrets.read_text(encoding="utf-8"), secrets.name) if secrets.exists() else {}
    variables = content.get("vars", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise ToolError(f"{settings.name}: [vars] must have texts only, as the Worker reads them.")
    both = sorted(set(variables) & set(kept))
    if both:
        raise ToolError(f"{settings.name} and {secrets.name} both have {', '.join(both)}.")
    check_variables({**variables, **kept}, store, f"{settings.name} or {secrets.name}")
    return Overlay(content, own["admin_email"], own["hyperdrive_id"], kept)


# Of wrangler's configuration what a deployment may want beyond what wrangler.toml has.
KNOWN = frozenset(
    {
        *("account_id", "routes", "route", "workers_dev", "preview_urls", "placement", "limits", "logpush", "vars"),
        *("tail_consumers", "cache", "compliance_region", "analytics_engine_datasets", "hyperdrive"),
    }
)


def configuration(overlay: Overlay, store: Store, document: Mapping[str, Any] | None = None) -> Json:
    """Return wrangler.toml's part for the store, with the overlay's settings over it. No environments are left."""
    base = dict(document if document is not None else wrangler_toml())
    environments = base.pop("env", {})
    if store == "postgres":
        base |= environments["postgres"]
        base["hyperdrive"] = [
            {**binding, "id": overlay.hyperdrive_id or binding["id"]} for binding in base["hyperdrive"]
        ]
    merged: Json = _over(_without(base, LOCAL_ONLY), overlay.settings)
    if merged.get("vars", {}).get("MAIL") != "cloudflare":
        merged.pop("send_email", None)  # whose account may not have Email Service
    name = merged["name"]
    return _renamed(merged, name) if name != NAME else merged


def write_configuration(overlay: Overlay, store: Store, path: Path = CONFIG) -> Path:
    """Write the file that wrangler deploys by; return where."""
    path.write_text(json.dumps(configuration(overlay, store), indent=2) + "\n", encoding="utf-8")
    return path


def _over(base: Any, own: Any) -> Any:
    """Lay tables over each other; a list, a value or an empty table takes the place of the other's."""
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    return {**base, **{name: _over(base.get(name), value) if value else value for name, value in own.items()}}


def _without(part: Any, names: tuple[str, ...]) -> Any:
    if isinstance(part, dict):
        return {name: _without(value, names) for name, value in part.items() if name not in names}
    return [_without(value, names) for value in part] if isinstance(part, list) else part


def _renamed(part: Any, name: str) -> Any:
    if isinstance(part, dict):
        return {
            key: name + value.removeprefix(NAME)
            if key in NAMED_AFTER_IT and isinstance(value, str) and (value + "-").startswith(NAME + "-")
            else _renamed(value, name)
            for key, value in part.items()
        }
    return [_renamed(value, name) for value in part] if isinstance(part, list) else part
