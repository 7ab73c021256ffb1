"""What the AI API must know of a caller: its principal and its models, as of one version of the policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lib.access.principal import Principal
from lib.gateway.models import ModelRoute


class Caller(NamedTuple):
    """A caller as of one version of its organisation's policy; None when that version is not known yet.

    `key_hash` is the keyed hash by which its key is found; "" where it is a person's, of which KV is told nothing.
    `just_read`: all of it comes from the store, a moment ago. `is_new`: it was read since its request had come, so no
    gate need say that it is current.
    """

    principal: Principal
    routes: Mapping[str, ModelRoute]
    version: int | None
    key_hash: str = ""
    just_read: bool = False
    is_new: bool = False

    def since(self, version: int) -> Caller:
        """Return it for a request that has heard since it came that `version` is current.

        What was read since, or is of that version or was read at it, holds all that had been answered before the
        request came. Whatever changes meanwhile may come before or after the request. Else, where policies change
        faster than they can be read, nobody would ever be let in.
        """
        return self._replace(is_new=True) if self.just_read or self.version == version else self


class StaleAccount(Exception):
    """The gate knows a newer version of the organisation's policy than the one this request was decided by."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version
