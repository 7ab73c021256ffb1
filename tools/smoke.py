"""Whether a deployment answers as Headgate does: asked from outside, as its users will."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tools.project import ToolError

SECONDS = 120.0  # a new address needs its certificate first
PAUSE_SECONDS = 2.0


def smoke(url: str, api_key: str | None, *, seconds: float = SECONDS, pause: float = PAUSE_SECONDS) -> list[str]:
    """Return what was found right, a line each. Raises ToolError naming what is not."""
    _until(url + "/readyz", lambda status, _: status == 200, seconds, pause)
    found = ["it is ready: the database and a gate answer"]
    status, body = _ask(url + "/v1/models")
    if status != 401 or not isinstance(body.get("error"), dict):
        raise ToolError(f"{url}/v1/models answers {status} to who has no key: something else stands at this address.")
    found.append("without a key there is no answer")
    if api_key:
        status, _ = _ask(url + "/v1/models", {"authorization": f"Bearer {api_key}"})
        if status != 200:
            raise ToolError(
                f"the new key is refused ({status}): HEADGATE_SECRET here is not the deployment's. Put that into"
                " deploy.secrets.env; or, where nobody has a key or a password yet, send ours: `wrangler secret put`."
            )
        found.append("the new key is known")
    return found


def _until(url: str, right: Callable[[int, Mapping[str, Any]], bool], seconds: float, pause: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        status, body = _ask(url)
        if right(status, body):
            return
        if time.monotonic() > deadline:
            said = f"{status} {json.dumps(body)[:400]}" if status else "nothing"
            raise ToolError(f"{url} answers {said}. `wrangler tail` shows the Worker's log.")
        time.sleep(pause)


def _ask(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, Any]]:
    """Return status and JSON; 0 where nothing answers."""
    request = urllib.request.Request(url, headers={"user-agent": "headgate-deploy", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, _json(answer.read(100_000))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read(100_000))
    except (OSError, http.client.HTTPException):
        return 0, {}


def _json(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
