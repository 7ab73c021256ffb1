"""What the AI API must know of a caller: its principal and its models, as of one version of the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.gateway.models import ModelRoute
from lib.identity.models import Principal


@dataclass(frozen=True, slots=True)
class Account:
    """A caller as of one version of its organisation's policy; None when that version is not known yet.

    `key_hash` is the keyed hash by which its key is found; "" where it is a person's, of which KV is told nothing.
    """

    principal: Principal
    routes: Mapping[str, ModelRoute]
    version: int | None
    key_hash: str = ""


class StaleAccount(Exception):
    """The gate knows a newer version of the organisation's policy than the one this request was decided by."""
