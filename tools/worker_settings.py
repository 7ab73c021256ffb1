"""The Worker's own reading of its variables, before it is started with them or they are sent to Cloudflare."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tools.project import ROOT, ToolError
from tools.state import Store

_A_SECRET = "0" * 64  # stands in for the one that the state or the deployment has


def offers_a_model(variables: Mapping[str, str]) -> bool:
    """Tell whether the Worker can call any provider with these variables, which have been checked."""
    from lib.gateway.providers.settings import read_settings, refuse  # noqa: PLC0415 - after `check_variables`, as there

    return bool(read_settings(variables.get, refuse))


def check_variables(variables: Mapping[str, str], store: Store, source: str) -> None:
    """Raises ToolError naming the variable that is wrong, never its value, and `source`, where it stands."""
    if str(ROOT / "src") not in sys.path:
        sys.path.append(str(ROOT / "src"))
    # Before the set-up there is only Python: these modules need nothing else (a test sees to it).
    from lib.config import ConfigError, read_config, read_store  # noqa: PLC0415
    from lib.gateway.providers.settings import read_settings, refuse  # noqa: PLC0415
    from lib.issuers.settings import read_providers  # noqa: PLC0415

    values = {"HEADGATE_SECRET": _A_SECRET, **variables}
    if values.get("STORE", store) != store:
        raise ToolError(f"{source}: the store is not chosen there but on the command line: STORE={store} is said.")
    try:
        read_store(values.get)
        read_config(values.get)
        read_settings(values.get, refuse)
        read_providers(values.get)
    except ConfigError as error:
        raise ToolError(f"{source}: {error}") from None
