"""./headgate verify-ledger: ask a running Headgate whether each budget's counter is the sum of its records.

Only somebody with the deployment's HEADGATE_SECRET can ask: a token that lasts a minute is made from it for each page,
and the secret stays here.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib.secrets.operator_tokens import new_token
from tools.env_file import parse_env
from tools.project import ROOT, ToolError
from tools.seed import required_secret

Json = dict[str, Any]

PATH = "/api/v1/operator/ledger-checks"
CREDENTIALS = ROOT / ".dev" / "credentials.json"
TIMEOUT_SECONDS = 120
AGREES = "agrees"
COLUMNS = ("BUDGET", "SCOPE", "WINDOW", "SUBJECTS", "COUNTER", "LEDGER", "VERDICT")


@dataclass(frozen=True)
class Asked:
    """Where the Headgate is, and what proves that we may ask."""

    url: str
    secret: str


def asked(url: str | None, state: str | None, environment: Mapping[str, str]) -> Asked:
    """Find address and secret: as they are given, else those of `make dev`. Raises ToolError."""
    folder = Path(state or environment.get("STATE") or ROOT / ".wrangler" / "state").expanduser()
    kept = folder / "secrets.env"
    known = environment if environment.get("HEADGATE_SECRET") or not kept.is_file() else _read(kept)
    return Asked(checked_url(url or str(local_credentials(environment)["base_url"])), required_secret(known))


def checked_url(url: str) -> str:
    """Return the address without a slash at its end. Raises ToolError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ToolError(f"{url!r} is no address of a Headgate, such as https://headgate.example.com.")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ToolError("an operator's token must not travel in the clear: use https.")
    return url.rstrip("/")


def checks(where: Asked) -> Iterator[Json]:
    """Yield what was found of each organisation. Raises ToolError."""
    cursor: str | None = ""
    while cursor is not None:
        query = "?" + urllib.parse.urlencode({"cursor": cursor}) if cursor else ""
        page = ask(where, PATH + query)
        yield from page["data"]
        cursor = page["meta"]["next_cursor"]


def table(check: Json) -> str:
    """Return what was found of one organisation, for a person."""
    heading = f"organisation {check['org_id']}: {check['verdict']}"
    if check["refused_records"]:
        heading += f"; {check['refused_records']} records are in its gate that the store has refused"
    rows = [COLUMNS, *(_row(budget) for budget in check["budgets"])]
    lines = _aligned(rows) if check["budgets"] else ["  no budgets"]
    return "\n".join([heading, *lines, *_findings(check["budgets"])])


def verify(where: Asked, *, as_json: bool) -> int:
    """Print what was found; return 0 only where all agree."""
    found = []
    for check in checks(where):
        found.append(check)
        if not as_json:
            print(table(check), flush=True)
    agree = sum(check["verdict"] == AGREES for check in found)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print(f"{agree} of {len(found)} organisations agree.")
    return int(agree < len(found))


def _row(budget: Json) -> tuple[str, ...]:
    scope = budget["scope"]
    whose = ":".join(str(part) for part in (scope["type"], scope["id"], scope["model"]) if part)
    least, most = budget["ledger_least_nano_usd"], budget["ledger_most_nano_usd"]
    ledger = str(least) if least == most else f"{least} to {most}"
    counter = str(budget["counter_nano_usd"])
    return budget["budget_id"], whose, budget["window"], str(budget["subjects"]), counter, ledger, budget["verdict"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _findings(budgets: Sequence[Json]) -> Iterator[str]:
    for budget in budgets:
        if budget["reason"]:
            yield f"  {budget['budget_id']}: {budget['reason']}"
        for one in budget["found"]:
            yield (
                f"    {one['subject']}: counter {one['counter_nano_usd']},"
                f" ledger {one['ledger_least_nano_usd']} to {one['ledger_most_nano_usd']} nano-dollars"
            )


def ask(where: Asked, path: str, method: str = "GET", body: Json | None = None) -> Json:
    """Send one request with an operator's token; return the answer. Raises ToolError."""
    headers = {"authorization": f"Bearer {new_token(where.secret, datetime.now(UTC))}"}
    text = None if body is None else json.dumps(body).encode()
    if text is not None:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(where.url + path, text, headers, method=method)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            raise ToolError(f"{where.url} answers {error.code}: {_message(error.read(4_000))}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ToolError(f"{where.url} can't be asked: {error}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Elsewhere nobody should see the token."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "no answer of Headgate's"


def local_credentials(environment: Mapping[str, str]) -> Json:
    """Return what `make dev` has written of the Headgate that it runs. Raises ToolError."""
    file = Path(environment.get("CREDENTIALS") or CREDENTIALS).expanduser()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {"base_url": str(found["base_url"]), "api_key": str(found.get("api_key", ""))}
    except (OSError, ValueError, KeyError):
        raise ToolError(f"say where it is, or run `make dev`: {file} names no Headgate.") from None


def _read(file: Path) -> Mapping[str, str]:
    return parse_env(file.read_text(encoding="utf-8"), str(file))
